package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/dirstore"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
)

// offline says what is verified instead of a bucket, and with what.
type offline struct {
	trust, dir, copies string
}

func (o *offline) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.dir, "dir", "", "verify a copy of the archive in this directory, without network and AWS configuration")
	f.StringVar(&o.trust, "trust", "", "trust file of `wormlog keys export`: it stands in for what a copy lacks, and its log ID is pinned")
	f.StringVar(&o.copies, "copies", "", "directory of verification copies, <key id>.json each, instead of those in Secrets Manager")
	c.MarkFlagsMutuallyExclusive("dir", "bucket")
	c.MarkFlagsMutuallyExclusive("dir", "verification-secrets")
	c.MarkFlagsMutuallyExclusive("copies", "verification-secrets")
}

// openWhere opens the bucket, or the directory that takes its place, with the trust file over it.
func (a *app) openWhere(c *cobra.Command, o offline) (s *session, err error) {
	if o.dir == "" {
		s, err = a.open(c)
	} else {
		s, err = a.openDir(c, o.dir)
	}
	if err != nil || o.trust == "" {
		return s, err
	}
	f, err := readTrustFile(o.trust)
	if err != nil {
		return nil, err
	}
	s.store = f.Overlay(s.store)
	return s, nil
}

// openDir is open for a directory. Nothing of AWS is looked at.
func (a *app) openDir(c *cobra.Command, path string) (*session, error) {
	l, err := config.Load(a.file, a.environ, c.Flags())
	if err != nil {
		return nil, err
	}
	dir, err := dirstore.Open(path)
	if err != nil {
		return nil, withHint(err, "name the directory that log.json, manifests and segments lie in")
	}
	return &session{app: a, Loaded: l, logger: a.logger(), store: dir, dir: dir}, nil
}

// copiesFor returns what HMACs are checked with, nil if nothing was given.
func (s *session) copiesFor(ctx context.Context, o offline) keys.VerificationCopies {
	switch {
	case o.copies != "":
		return keys.FileCopies{Dir: o.copies}
	case s.dir != nil:
		return nil
	}
	return s.copies(ctx, s.originOfLog(ctx))
}

// readTrustFile reads no more than a trust file may have.
func readTrustFile(path string) (f archive.TrustFile, err error) {
	const make = "`wormlog keys export` makes one"
	info, err := os.Stat(path)
	if err != nil {
		return f, withHint(err, make)
	}
	if info.Size() > archive.MaxTrustBytes {
		return f, withHint(fmt.Errorf("%s has %s, and a trust file has at most %s", path, size(info.Size()), size(archive.MaxTrustBytes)), make)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	f, err = archive.ParseTrustFile(b)
	if odd := new(json.SemanticError); errors.As(err, &odd) {
		return f, withHint(fmt.Errorf("%s is not a trust file", path), make)
	}
	if err != nil {
		return f, withHint(fmt.Errorf("trust file %s: %w", path, err), "give the file as `wormlog keys export` wrote it, unchanged")
	}
	return f, nil
}

func (a *app) keysExportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "export FILE",
		Short: "Write a trust file: everything that decides whom to trust, to verify copies with",
		Long: "Write log.json, the key records and the acts of the authority to one file, with S3's dates. With this trust file a copy\n" +
			"of the archive in a directory is verified without network and credentials, even if the copy lacks these objects or its\n" +
			"keeper left some out. It holds no secrets, so it may be mailed and put under version control. It is not signed: keep it\n" +
			"where the log ID is kept, out of reach of whoever keeps the copy. Export it anew after each rotation and each act.\n\n" +
			"A file that is there is replaced if it is an older trust file of the same log. Exit status: 0 all of it was exported;\n" +
			"1 key records that nobody signed were left out; 2 nothing was written.",
		Example: "  wormlog keys export trust.json\n" +
			"  aws s3 sync s3://example-audit/ ./copy\n" +
			"  wormlog verify --trust trust.json --dir ./copy",
		Args: cobra.ExactArgs(1),
	}
	config.AddFlags(c.Flags(), config.GroupBucket)
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.open(c)
		if err != nil {
			return err
		}
		return s.exportTrust(c.Context(), args[0])
	}
	return c
}

// exported is what `keys export --json` prints.
type exported struct {
	File       string            `json:"file"`
	LogID      keys.LogID        `json:"log_id"`
	Exported   archive.Second    `json:"exported"`
	KeyRecords int               `json:"key_records"`
	Acts       int               `json:"acts"`
	LeftOut    []archive.Finding `json:"left_out"`
}

func (s *session) exportTrust(ctx context.Context, path string) error {
	l, err := s.openLog(ctx)
	if err != nil {
		return err
	}
	f, left, err := archive.ExportTrust(ctx, s.store, l)
	if err != nil {
		return withHint(err, "`wormlog verify` says what is wrong; nothing was written")
	}
	b, err := archive.FormatTrustFile(f)
	if err != nil {
		return err
	}
	if err := mayReplace(path, f); err != nil {
		return err
	}
	if err := replaceFile(path, b); err != nil {
		return fmt.Errorf("writing the trust file: %w", err)
	}
	if err := s.printExported(path, f, left); err != nil {
		return err
	}
	if len(left) > 0 {
		return exit(exitNo, withHint(fmt.Errorf("%s cannot be believed and was left out", count(len(left), "key record")),
			"`wormlog verify` says what that means for the evidence"))
	}
	return nil
}

// mayReplace refuses to write over anything but an older trust file of the same log: it may be all that is left of it.
func mayReplace(path string, f archive.TrustFile) error {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	const instead = "move it away, or name another file"
	older, err := readTrustFile(path)
	if err != nil {
		return withHint(fmt.Errorf("%s is there already, and is no trust file that could be replaced: %w", path, err), instead)
	}
	if err := f.Extends(&older); err != nil {
		return withHint(fmt.Errorf("%s is there already and stays as it is: %w", path, err), instead)
	}
	return nil
}

func (s *session) printExported(path string, f archive.TrustFile, left []archive.Finding) error {
	records, acts := f.Count()
	if s.json {
		return printJSON(s.stdout, exported{path, f.LogID, f.Exported, records, acts, append([]archive.Finding{}, left...)})
	}
	for _, x := range left {
		fmt.Fprintln(s.stdout, visible("Left out: "+x.String()))
	}
	said := fmt.Sprintf("Exported log.json, %s and %s, as of %s, to %s.\nLog %s\n", count(records, "key record"), count(acts, "act"), f.Exported, visible(path), f.LogID)
	if s.LogID == "" {
		said += "The log ID is the bucket's own word, as none was pinned: compare it with the one that was written down at the beginning.\n"
	}
	_, err := fmt.Fprint(s.stdout, said+"Keep the file where you keep the log ID; `wormlog verify --trust` with --dir takes it.\n")
	return err
}
