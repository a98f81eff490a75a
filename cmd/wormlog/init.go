package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

func (a *app) initCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a log in the bucket, its authority keys and its first signing key",
		Long: "Make a new log: log.json in the bucket, which names the log, its authorities and its retention; the online authority's\n" +
			"key, the key for acts (role authority) and the first signing key in Secrets Manager; the recovery key in a file, which\n" +
			"is to be kept offline. It alone vouches for the key for acts. docs/keys.md has what each key is for.\n\n" +
			"log.json is locked for max_retention: twice the retention, but at least 180 days more than it, unless that is set.\n" +
			"Nobody can shorten that, nor the retention. To try things out, --retention 1d locks log.json and the key records for\n" +
			"181 days, and all else for some ten.\n\n" +
			"The bucket, its Object Lock, the credentials and the clock are checked before anything is written. Running init again\n" +
			"is safe at any time: it completes what a run before did not finish, changes nothing that is there, and says so. With\n" +
			"another --writer it adds a signing key for that writer.",
		Example: "  wormlog init --bucket acme-audit --origin acme.com/payments-audit --retention 2557d\n" +
			"  export WORMLOG_LOG_ID=…             # as init prints it: pin the log\n" +
			"  wormlog init --writer billing       # later: a signing key for one more writer",
		Args: cobra.NoArgs,
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupInit, config.GroupWriter, config.GroupCopies)
	recovery := c.Flags().String("recovery-key", "", "file for the recovery key; empty for wormlog-recovery-<first 8 digits of the log ID>.key")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := a.open(c)
		if err != nil {
			return err
		}
		return s.init(c.Context(), recoveryFile{path: *recovery})
	}
	return c
}

const (
	defaultRetentionDays = 2557 // seven years with their leap days; S3 counts a year as 365
	leastCapMargin       = 180  // days that log.json is locked longer than the retention at least, as a key record is
	defaultHeartbeat     = time.Hour
	maxClockSkew         = 5 * time.Minute
)

// initialized is what init did or found.
type initialized struct {
	LogID       keys.LogID   `json:"log_id"`
	Origin      string       `json:"origin"`
	Home        archive.Home `json:"home"`
	Retention   uint64       `json:"retention_days"`
	Created     bool         `json:"created"`          // the log is new
	KeyID       keys.ID      `json:"key_id"`           // the writer's signing key
	KeyCreated  bool         `json:"key_created"`      // the key, or what was missing of it, is new
	Writer      string       `json:"writer"`           // whom it is for
	ActsKeyID   keys.ID      `json:"acts_key_id"`      // the signing key of role authority; empty if there is none yet
	ActsCreated bool         `json:"acts_key_created"` // that key, or what was missing of it, is new
	RecoveryKey string       `json:"recovery_key"`     // the file; empty if it is not here
	Secrets     []string     `json:"secrets"`
	Endpoint    string       `json:"endpoint"`
}

// init makes a log, or completes one. Every step finds what an earlier run did and goes on from there:
//
//  1. the recovery key, in a file, without the log's ID yet
//  2. the online authority's key, in its secret
//  3. log.json, which names both keys: the log exists
//  4. the key for acts, in its secret, and then its record, which the recovery key signs
//  5. the signing key, in its secret
//  6. its verification copy, and then its record in the archive: writers may use it
//
// A crash before 3 leaves two keys of no log, which the next run takes up; one within 4 or after 5 a key that nobody
// accepts yet, and whose record the next run makes again from the bundle. The key for acts comes before anything says that
// the recovery key can be taken away; if it was, the rest is done all the same, and the run says what is missing.
func (s *session) init(ctx context.Context, recovery recoveryFile) error {
	now, err := s.ready(ctx)
	if err != nil {
		return err
	}
	client, err := s.secrets(ctx)
	if err != nil {
		return err
	}
	setup := &setup{session: s, store: secretsmanager.Store{API: client}, api: client, recovery: recovery}
	l, err := archive.OpenLog(ctx, s.store, s.LogID)
	switch {
	case err == nil:
		err = setup.adopt(ctx, l)
	case errors.Is(err, archive.ErrNotFound):
		l, err = setup.create(ctx, now)
	}
	if err != nil {
		return s.hidden(err)
	}
	actsErr := setup.actsKey(ctx, l)
	if actsErr != nil && !errors.Is(actsErr, errRecoveryAway) {
		return actsErr
	}
	if err := setup.signingKey(ctx, l); err != nil {
		return err
	}
	if err := setup.print(l); err != nil || actsErr == nil {
		return err
	}
	return exit(exitNo, actsErr)
}

// ready checks everything that can be checked before something is written, and returns the store's clock.
func (s *session) ready(ctx context.Context) (time.Time, error) {
	asked := time.Now()
	now, err := s.store.Now(ctx)
	if err != nil {
		return now, err
	}
	asked = asked.Add(time.Since(asked) / 2)
	// The store's clock shows whole seconds, so half of one is the best guess.
	if skew := asked.Sub(now.Add(time.Second / 2)); skew.Abs() > maxClockSkew {
		return now, fmt.Errorf("%w: this machine's shows %s and S3's %s, which is more than %s apart", archive.ErrClock,
			asked.UTC().Format(time.RFC3339), now.Format(time.RFC3339), maxClockSkew)
	}
	settings, err := s.store.Settings(ctx)
	if err != nil {
		return now, err
	}
	return now, checkSettings(s.Bucket, settings, s.EnforceWORM)
}

func checkSettings(bucket string, settings archive.Settings, enforce bool) error {
	switch {
	case !enforce:
		return nil
	case settings.ObjectLock.Err != nil:
		return withHint(fmt.Errorf("whether bucket %s has Object Lock could not be found out: %w", bucket, settings.ObjectLock.Err),
			"give this role s3:GetBucketObjectLockConfiguration")
	case !settings.ObjectLock.Value:
		return fmt.Errorf("%w %s: nothing in it can be locked", archive.ErrNoObjectLock, bucket)
	case settings.Versioning.Err == nil && settings.Versioning.Value != "Enabled":
		return withHint(fmt.Errorf("%w %s: its versioning is not enabled", archive.ErrNoObjectLock, bucket), "enable versioning on the bucket")
	case settings.DefaultMode.Err == nil && settings.DefaultMode.Value == archive.Governance:
		return withHint(fmt.Errorf("the default retention of bucket %s is GOVERNANCE, which those with a permission can lift", bucket),
			"set the default retention to COMPLIANCE, or remove it: aws s3api put-object-lock-configuration")
	}
	return nil
}

// setup is one run of init.
type setup struct {
	*session
	store    secretsmanager.Store
	api      secretsmanager.API
	recovery recoveryFile
	done     initialized
}

// create makes a log that is not there.
func (u *setup) create(ctx context.Context, now time.Time) (*archive.Log, error) {
	if u.LogID != "" {
		return nil, withHint(fmt.Errorf("there is no log %s, but the log ID %s is pinned", u.where(), u.LogID),
			"check bucket and prefix; to make a new log, unset log_id")
	}
	genesis, err := u.genesis(now)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(u.distinct(genesis.Origin), u.unused(ctx, genesis.Origin)); err != nil {
		return nil, err
	}
	recoveryKey, err := u.recovery.take(u.Bucket, u.Prefix)
	if err != nil {
		return nil, err
	}
	online, err := u.onlineAuthority(ctx, u.AuthoritySecretOf(genesis.Origin))
	if err != nil {
		return nil, err
	}
	genesis.Authorities = []keys.Authority{online.Authority(), recoveryKey.Authority()}
	l, err := archive.NewLog(genesis, online)
	if err != nil {
		return nil, err
	}
	if _, err := l.Create(ctx, u.session.store); err != nil {
		if errors.Is(err, archive.ErrTaken) {
			err = withHint(err, "another init was faster; run it again to go on with that log")
		}
		return nil, err
	}
	u.done.Created = true
	return l, u.settleRecovery(l)
}

// genesis is what the settings say of a new log.
func (u *setup) genesis(now time.Time) (archive.Genesis, error) {
	if u.Origin == "" {
		return archive.Genesis{}, withHint(errors.New("the new log needs a name"),
			"set origin to a URL without its scheme, such as --origin acme.com/payments-audit")
	}
	days, err := u.Retention.From(now)
	if err != nil {
		return archive.Genesis{}, err
	}
	days = cmp.Or(days, defaultRetentionDays)
	most, err := u.MaxRetention.From(now)
	if err != nil {
		return archive.Genesis{}, err
	}
	most = cmp.Or(most, defaultCap(days))
	if most < days {
		return archive.Genesis{}, fmt.Errorf("max_retention is %d days, less than the retention of %d", most, days)
	}
	if from := anchorDue(days, most); from < leastCapMargin {
		fmt.Fprintf(u.stderr, "wormlog: max_retention is so near to the retention that log.json's lock falls short soon: from day %d on verify will ask to extend it\n", from)
	}
	beat := defaultHeartbeat
	if u.Heartbeat.Set {
		beat = u.Heartbeat.Every
	}
	return archive.Genesis{
		Origin: u.Origin, Nonce: archive.NewNonce(), Created: archive.Instant{Time: now.UTC()}, Home: u.session.store.Home(),
		Retention:        archive.RetentionPolicy{Days: days, MaxDays: most},
		HeartbeatSeconds: uint64(beat / time.Second),
	}, nil
}

// defaultCap returns the days of max_retention if they are not set. log.json is locked for so long and cannot be locked
// for less; it has to outlive what is written over years, until its lock is extended. Short retentions are for trials,
// and are not to leave a lock of years behind.
func defaultCap(days uint64) uint64 {
	return min(max(2*days, days+leastCapMargin), archive.MaxRetentionDays)
}

// anchorDue returns the day of the log from which verify asks to extend the lock of log.json: what is written then is kept
// longer than it, and it ends within a year.
func anchorDue(days, most uint64) uint64 {
	const notice = 365
	return max(most-days, max(most, notice)-notice)
}

// unused makes sure that the secrets are no other log's, before anything is written.
func (u *setup) unused(ctx context.Context, origin string) error {
	for _, s := range []struct{ setting, name string }{
		{"signing_secret", u.SigningSecretOf(origin)}, {"acts_secret", u.ActsSecretOf(origin)},
	} {
		bundle, err := u.currentBundle(ctx, s.name)
		if err == nil {
			return withHint(fmt.Errorf("secret %s already holds the signing key of log %s, which is not %s", s.name, bundle.LogID(), u.where()),
				"name another "+s.setting+", or the bucket and prefix of that log")
		}
		if !errors.Is(err, keys.ErrNotFound) {
			return err
		}
	}
	return nil
}

// distinct makes sure that no two keys are to be in one secret, before anything is written.
func (u *setup) distinct(origin string) error {
	names := map[string]string{}
	for _, s := range []struct{ setting, name string }{
		{"authority_secret", u.AuthoritySecretOf(origin)}, {"acts_secret", u.ActsSecretOf(origin)}, {"signing_secret", u.SigningSecretOf(origin)},
	} {
		if other, ok := names[s.name]; ok {
			return withHint(fmt.Errorf("%s and %s are the same secret, %s, and each is for one key", other, s.setting, s.name), "set "+s.setting+" to another name")
		}
		names[s.name] = s.setting
	}
	return nil
}

func (u *setup) onlineAuthority(ctx context.Context, name string) (*keys.AuthorityKey, error) {
	k, err := u.store.LoadAuthority(ctx, name)
	if !errors.Is(err, keys.ErrNotFound) {
		return k, err
	}
	if k, err = keys.NewAuthorityKey(archive.OnlineAuthority); err != nil {
		return nil, err
	}
	return k, u.store.CreateAuthority(ctx, name, k)
}

// adopt goes on with a log that is there.
func (u *setup) adopt(ctx context.Context, l *archive.Log) error {
	if u.Origin != "" && u.Origin != l.Origin {
		return withHint(fmt.Errorf("the log %s is %s, not %s", u.where(), l.Origin, u.Origin), "check bucket, prefix and origin")
	}
	if err := u.atHome(l); err != nil {
		return err
	}
	if err := u.distinct(l.Origin); err != nil {
		return err
	}
	u.tellUnchanged(l)
	return u.settleRecovery(l)
}

// tellUnchanged says which settings differ from what the log has, and do not change it.
func (u *setup) tellUnchanged(l *archive.Log) {
	tell := func(name string, set bool, has string) {
		if set {
			fmt.Fprintf(u.stderr, "wormlog: %s (from %s) changes nothing: the log is there, and has %s\n", name, u.Given(name).From, has)
		}
	}
	tell("retention", u.Retention != config.Period{} && u.Retention.Days != l.Retention.Days, fmt.Sprintf("%dd", l.Retention.Days))
	tell("max_retention", u.MaxRetention != config.Period{} && u.MaxRetention.Days != l.Retention.MaxDays, fmt.Sprintf("%dd", l.Retention.MaxDays))
	has := time.Duration(l.HeartbeatSeconds) * time.Second
	tell("heartbeat_interval", u.Heartbeat.Set && u.Heartbeat.Every != has, has.String())
}

// settleRecovery gives the recovery key's file its name.
func (u *setup) settleRecovery(l *archive.Log) (err error) {
	want, _ := l.Authority(archive.RecoveryAuthority)
	u.done.RecoveryKey, err = u.recovery.settle(u.Bucket, u.Prefix, l.ID, want.ID())
	return err
}

func (u *setup) print(l *archive.Log) error {
	d := &u.done
	d.LogID, d.Origin, d.Home, d.Retention, d.Endpoint = l.ID, l.Origin, l.Home, l.Retention.Days, u.bucket.Endpoint()
	if u.json {
		return printJSON(u.stdout, d)
	}
	var b strings.Builder
	switch {
	case d.Created:
		fmt.Fprintf(&b, "Log %s created %s.\n", l.Origin, u.where())
	case d.KeyCreated:
		fmt.Fprintf(&b, "Log %s was there already %s; its key for writer %s is now complete.\n", l.Origin, u.where(), d.Writer)
	case d.ActsCreated:
		fmt.Fprintf(&b, "Log %s was there already %s; its key for acts is now complete.\n", l.Origin, u.where())
	default:
		fmt.Fprintf(&b, "Log %s was there already %s, and so was the key for writer %s: nothing was changed.\n", l.Origin, u.where(), d.Writer)
	}
	b.WriteString(u.endpointLine())
	days := "days"
	if l.Retention.Days == 1 {
		days = "day"
	}
	fmt.Fprintf(&b, "Entries are kept %d %s, and no lock is longer than %d. Key %s signs for writer %s.\n", l.Retention.Days, days, l.Retention.MaxDays, d.KeyID, d.Writer)
	if d.ActsKeyID != "" {
		fmt.Fprintf(&b, "Key %s signs acts of the log's authority: nothing in daily use needs its secret either.\n", d.ActsKeyID)
	}
	switch {
	case d.RecoveryKey == "":
		b.WriteString("The recovery key is not here. If you cannot say where it is, look for it now.\n")
	default:
		fmt.Fprintf(&b, "The recovery key is in %s. Take it offline now, and delete it here: nothing in daily use needs it,\nand whoever has it can name new authorities' keys.\n", d.RecoveryKey)
	}
	fmt.Fprintf(&b, "Log ID: %s\nPin it wherever the log is used, and write it down elsewhere:\n\n  export WORMLOG_LOG_ID=%s\n", l.ID, l.ID)
	_, err := fmt.Fprint(u.stdout, b.String())
	return err
}
