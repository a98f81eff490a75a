// Rotationload has a writer's signing key rotated ten times in a row under load, twice: at a steady rate, and at full
// speed. wormlog-dev, on disk, and each `wormlog keys rotate` are processes of their own. It prints rates and how long
// Append took, of all entries and of those accepted while a rotation was under way, and beside it by how much a goroutine
// overslept that did nothing else; it reads everything back and has `wormlog verify` judge it. It is make rotation; docs/performance.md keeps its figures.
//
// The exit status is 1 if an entry is lost, there twice or in disorder, if the verdict is not INTACT with HMACs checked, if
// the steady rate was not kept, or if an Append took longer at it than it may.
//
//	go run ./internal/rotationload -bin .bin [-rate 5000] [-rotations 10]
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/internal/devprocess"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// options are the command's flags.
type options struct {
	bin, source     string
	rate, rotations int
	appenders       int
	quiet, allowed  time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", ".bin", "`folder` with wormlog and wormlog-dev")
	flag.StringVar(&o.source, "log", "testdata/logs/invictus-cloudtrail/cloudtrail.ndjson", "real entries to append again and again")
	flag.IntVar(&o.rate, "rate", 5000, "entries a second of the steady run")
	flag.IntVar(&o.rotations, "rotations", 10, "how often the key turns in each run")
	flag.IntVar(&o.appenders, "appenders", 8, "how many goroutines append")
	flag.DurationVar(&o.quiet, "quiet", 3*time.Second, "time without rotations before and after them")
	flag.DurationVar(&o.allowed, "allowed", 100*time.Millisecond, "how long an Append may take in the steady run")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "rotationload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	b, err := os.ReadFile(o.source)
	if err != nil {
		return err
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rotationload")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	env, stop, err := devprocess.Start(o.bin, filepath.Join(dir, "dev"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r := &runner{options: o, dir: dir, env: env, lines: bytes.Split(bytes.TrimSpace(b), []byte("\n"))}
	if _, err := r.wormlog(ctx, "init"); err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	fmt.Printf("%-22s %9s %9s   Append: %8s %9s   during rotations: %8s %9s   %s\n", "", "entries", "a second", "p99.9", "longest", "p99.9", "longest", "lost")
	steady := r.measure(ctx, fmt.Sprintf("at %d a second", o.rate), o.rate)
	full := r.measure(ctx, "as fast as possible", 0)
	return errors.Join(steady, full, r.verify(ctx))
}

// runner has what both runs need.
type runner struct {
	options
	dir    string
	env    []string
	lines  [][]byte
	config *config.Loaded
	store  archive.Store
	log    *archive.Log
	copies secretsmanager.Copies
}

// wormlog runs a command and returns what it printed.
func (r *runner) wormlog(ctx context.Context, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, filepath.Join(r.bin, "wormlog"), args...)
	c.Dir, c.Env = r.dir, r.env
	var told bytes.Buffer
	c.Stderr = &told
	out, err := c.Output()
	if err != nil {
		return out, fmt.Errorf("wormlog %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(told.Bytes()))
	}
	return out, nil
}

// open prepares the bucket as wormlog itself does, in the environment that wormlog-dev printed.
func (r *runner) open(ctx context.Context) (err error) {
	for _, v := range r.env {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if r.config, err = config.FromEnvironment(r.env); err != nil {
		return err
	}
	if _, r.store, err = r.config.OpenBucket(ctx, logger()); err != nil {
		return err
	}
	if r.log, err = archive.OpenLog(ctx, r.store, ""); err != nil {
		return err
	}
	client, err := r.config.SecretsManager(ctx, r.store.Home().Region)
	r.copies = secretsmanager.Copies{API: client, Prefix: r.config.VerificationSecretsOf(r.log.Origin)}
	return err
}

// logger tells what an operator is told.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// keyAge is how long the load's writer trusts a signing key. Writers take an hour; ten rotations are to take less.
const keyAge = time.Second

func (r *runner) measure(ctx context.Context, name string, rate int) error {
	client, err := r.config.SecretsManager(ctx, r.store.Home().Region)
	if err != nil {
		return err
	}
	provider, err := secretsmanager.NewProvider(secretsmanager.Config{API: client, SecretID: r.config.SigningSecretOf(r.log.Origin), MaxAge: keyAge})
	if err != nil {
		return err
	}
	l := &load{
		Writer: archive.WriterConfig{
			Store: r.store, Log: r.log, Writer: r.config.Writer, Key: archive.SigningKeys(r.log, r.store, provider),
			KeyCheck: keyAge / 10, Logger: logger(), Software: "rotationload",
		},
		Appenders: r.appenders, Rate: rate, Lines: r.lines, Quiet: r.quiet, Rotations: r.rotations,
		Rotate: func(ctx context.Context) error {
			_, err := r.wormlog(ctx, "keys", "rotate")
			return err
		},
	}
	o, err := l.run(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f, err := readBack(ctx, archive.ReaderConfig{Store: r.store, LogID: r.log.ID, Copies: r.copies}, o)
	if err != nil {
		return fmt.Errorf("%s: reading back: %w", name, err)
	}
	speed := float64(o.entries()) / o.Took.Seconds()
	fmt.Printf("%-22s %9d %9.0f           %8s %9s                     %8s %9s   %d\n", name, o.entries(), speed,
		brief(o.Overall.quantile(0.999)), brief(o.Overall.longest), brief(o.Around.quantile(0.999)), brief(o.Around.longest), f.Lost)
	return r.judge(name, o, f, rate, speed)
}

func brief(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d)/1e6) }

// judge says what of a run is not as it must be.
func (r *runner) judge(name string, o *outcome, f *found, rate int, speed float64) error {
	problems := []error{f.err()}
	if len(f.Keys) != r.rotations+1 {
		problems = append(problems, fmt.Errorf("%d keys signed entries, not %d", len(f.Keys), r.rotations+1))
	}
	if rate > 0 {
		fmt.Printf("%-22s at most %s behind the rate; a goroutine that only slept was woken up to %s late\n", "", brief(o.Late), brief(o.Overslept))
		if speed < 0.99*float64(rate) {
			problems = append(problems, fmt.Errorf("%.0f entries a second are less than %d", speed, rate))
		}
		if o.Overall.longest > r.allowed {
			problems = append(problems, fmt.Errorf("an Append took %s, more than %s", o.Overall.longest, r.allowed))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// verify has wormlog judge the whole archive.
func (r *runner) verify(ctx context.Context) error {
	out, err := r.wormlog(ctx, "verify", "--json")
	var report struct {
		Verdict archive.Verdict   `json:"verdict"`
		HMAC    archive.HMACState `json:"hmac"`
	}
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil {
		return errors.Join(err, jsonErr)
	}
	fmt.Printf("wormlog verify: %s, HMACs %s\n", report.Verdict, report.HMAC)
	if report.Verdict != archive.Intact || report.HMAC != archive.HMACChecked {
		return errors.Join(err, fmt.Errorf("the archive is %s, HMACs %s", report.Verdict, report.HMAC))
	}
	return err
}
