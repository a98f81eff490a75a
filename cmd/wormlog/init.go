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
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

func (a *app) initCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a log in the bucket, its authority keys and its first signing key",
		Long: "Make a new log: log.json in the bucket, which names the log, its authorities and its retention; the online authority's\n" +
			"key and the first signing key in Secrets Manager; the recovery key in a file, which is to be kept offline.\n\n" +
			"The bucket, its Object Lock, the credentials and the clock are checked before anything is written. Running init again\n" +
			"is safe at any time: it completes what a run before did not finish, changes nothing that is there, and says so. With\n" +
			"another --writer it adds a signing key for that writer.",
		Example: "  wormlog init --bucket acme-audit --origin acme.com/payments-audit --retention 2557d\n" +
			"  export WORMLOG_LOG_ID=…             # as init prints it: pin the log\n" +
			"  wormlog init --writer billing       # later: a signing key for one more writer",
		Args: cobra.NoArgs,
	}
	addFlags(c.Flags(), groupBucket, groupInit, groupWriter, groupCopies)
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
	defaultCapMargin     = 3 * 366
	defaultHeartbeat     = time.Hour
	maxClockSkew         = 5 * time.Minute
)

// initialized is what init did or found.
type initialized struct {
	LogID       keys.LogID   `json:"log_id"`
	Origin      string       `json:"origin"`
	Home        archive.Home `json:"home"`
	Retention   uint64       `json:"retention_days"`
	Created     bool         `json:"created"`      // the log is new
	KeyID       keys.ID      `json:"key_id"`       // the writer's signing key
	KeyCreated  bool         `json:"key_created"`  // the key, or what was missing of it, is new
	Writer      string       `json:"writer"`       // whom it is for
	RecoveryKey string       `json:"recovery_key"` // the file; empty if it is not here
	Secrets     []string     `json:"secrets"`
}

// init makes a log, or completes one. Every step finds what an earlier run did and goes on from there:
//
//  1. the recovery key, in a file, without the log's ID yet
//  2. the online authority's key, in its secret
//  3. log.json, which names both keys: the log exists
//  4. the signing key, in its secret
//  5. its verification copy, and then its record in the archive: writers may use it
//
// A crash before 3 leaves two keys of no log, which the next run takes up; one between 4 and 5 a key that no writer
// accepts yet, and whose record the next run makes again from the bundle.
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
	if err := setup.signingKey(ctx, l); err != nil {
		return err
	}
	return setup.print(l)
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
	if err := u.unused(ctx, genesis.Origin); err != nil {
		return nil, err
	}
	recoveryKey, err := u.recovery.take(u.Bucket, u.Prefix)
	if err != nil {
		return nil, err
	}
	online, err := u.onlineAuthority(ctx, u.authoritySecret(genesis.Origin))
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
	days, err := u.Retention.from(now)
	if err != nil {
		return archive.Genesis{}, err
	}
	days = cmp.Or(days, defaultRetentionDays)
	most, err := u.MaxRetention.from(now)
	if err != nil {
		return archive.Genesis{}, err
	}
	most = cmp.Or(most, min(days+defaultCapMargin, archive.MaxRetentionDays))
	if most < days {
		return archive.Genesis{}, fmt.Errorf("max_retention is %d days, less than the retention of %d", most, days)
	}
	beat := defaultHeartbeat
	if u.Heartbeat.set {
		beat = u.Heartbeat.every
	}
	return archive.Genesis{
		Origin: u.Origin, Nonce: archive.NewNonce(), Created: archive.Instant{Time: now.UTC()}, Home: u.session.store.Home(),
		Retention:        archive.RetentionPolicy{Days: days, MaxDays: most},
		HeartbeatSeconds: uint64(beat / time.Second),
	}, nil
}

// unused makes sure that the signing secret is no other log's, before anything is written.
func (u *setup) unused(ctx context.Context, origin string) error {
	bundle, err := u.currentBundle(ctx, u.signingSecret(origin))
	if err == nil {
		return withHint(fmt.Errorf("secret %s already holds the signing key of log %s, which is not %s", u.signingSecret(origin), bundle.LogID(), u.where()),
			"name another signing_secret, or the bucket and prefix of that log")
	}
	if errors.Is(err, keys.ErrNotFound) {
		return nil
	}
	return err
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
	here := u.session.store.Home()
	if here.Bucket != l.Home.Bucket || here.Prefix != l.Home.Prefix {
		return fmt.Errorf("the log %s is a copy: its home is bucket %s, prefix %q; work there", u.where(), l.Home.Bucket, l.Home.Prefix)
	}
	u.tellUnchanged(l)
	return u.settleRecovery(l)
}

// tellUnchanged says which settings differ from what the log has, and do not change it.
func (u *setup) tellUnchanged(l *archive.Log) {
	tell := func(name string, set bool, has string) {
		if set {
			fmt.Fprintf(u.stderr, "wormlog: %s (from %s) changes nothing: the log is there, and has %s\n", name, u.given[name].from, has)
		}
	}
	tell("retention", u.Retention != period{} && u.Retention.days != l.Retention.Days, fmt.Sprintf("%dd", l.Retention.Days))
	tell("max_retention", u.MaxRetention != period{} && u.MaxRetention.days != l.Retention.MaxDays, fmt.Sprintf("%dd", l.Retention.MaxDays))
	has := time.Duration(l.HeartbeatSeconds) * time.Second
	tell("heartbeat_interval", u.Heartbeat.set && u.Heartbeat.every != has, has.String())
}

// settleRecovery gives the recovery key's file its name.
func (u *setup) settleRecovery(l *archive.Log) (err error) {
	want, _ := l.Authority(archive.RecoveryAuthority)
	u.done.RecoveryKey, err = u.recovery.settle(u.Bucket, u.Prefix, l.ID, want.ID())
	return err
}

// signingKey makes the writer's key unless there is one, and completes what is missing of it.
func (u *setup) signingKey(ctx context.Context, l *archive.Log) error {
	name, pattern := u.signingSecret(l.Origin), u.Writer+".*"
	u.done.Secrets = []string{u.authoritySecret(l.Origin), name}
	bundle, err := u.currentBundle(ctx, name)
	if errors.Is(err, keys.ErrNotFound) {
		bundle, err = u.newKey(ctx, l, name, pattern)
	}
	if err != nil {
		return err
	}
	if bundle.LogID() != l.ID {
		return withHint(fmt.Errorf("secret %s holds the signing key of log %s, and this is log %s", name, bundle.LogID(), l.ID), "name another signing_secret")
	}
	u.done.KeyID, u.done.Writer = bundle.KeyID(), u.Writer
	if c := bundle.VerificationCopy(); c != nil {
		copies := secretsmanager.Copies{API: u.api, Prefix: u.verificationSecrets(l.Origin)}
		if err := copies.PutCopy(ctx, c); err != nil {
			return err
		}
		u.done.Secrets = append(u.done.Secrets, copies.Name(bundle.KeyID()))
	}
	return u.publish(ctx, l, bundle, name, pattern)
}

func (u *setup) newKey(ctx context.Context, l *archive.Log, name, pattern string) (*keys.Bundle, error) {
	if _, err := u.authority(ctx, l); err != nil {
		return nil, err // no key is made that could not be published
	}
	bundle, _, err := keys.NewKey(l.ID, keys.RoleWriter, pattern, u.SignatureAlgorithm, secretsmanager.Source(name), "")
	if err != nil {
		return nil, err
	}
	u.done.KeyCreated = true
	return bundle, u.store.CreateBundle(ctx, name, bundle)
}

// publish writes the key record unless it is there.
func (u *setup) publish(ctx context.Context, l *archive.Log, bundle *keys.Bundle, name, pattern string) error {
	record, err := l.Record(ctx, u.session.store, bundle.KeyID())
	if err == nil {
		if record.Streams != pattern {
			return withHint(fmt.Errorf("secret %s holds the key for the streams %s, and the writer is %s", name, record.Streams, u.Writer),
				"name another signing_secret for this writer, or the writer that the key is for")
		}
		return nil
	}
	if !errors.Is(err, archive.ErrNotFound) {
		return err
	}
	if record, err = bundle.Record(pattern, secretsmanager.Source(name), ""); err != nil {
		return err
	}
	authority, err := u.authority(ctx, l)
	if err != nil {
		return err
	}
	b, id, err := keys.SignRecord(record, authority.Signer())
	if err != nil {
		return err
	}
	u.done.KeyCreated = true
	_, err = l.CreateRecord(ctx, u.session.store, id, b)
	return err
}

// authority reads the online authority's key and compares it with the one that the log names.
func (u *setup) authority(ctx context.Context, l *archive.Log) (*keys.AuthorityKey, error) {
	name := u.authoritySecret(l.Origin)
	k, err := u.store.LoadAuthority(ctx, name)
	if err != nil {
		return nil, err
	}
	if want, _ := l.Authority(archive.OnlineAuthority); want.ID() != k.Authority().ID() {
		return nil, withHint(fmt.Errorf("secret %s holds the authority key %s, and log %s has %s", name, k.Authority().ID(), l.ID, want.ID()),
			"name the log's own authority_secret")
	}
	return k, nil
}

// currentBundle reads a signing secret.
func (u *setup) currentBundle(ctx context.Context, name string) (*keys.Bundle, error) {
	p, err := secretsmanager.NewProvider(secretsmanager.Config{API: u.api, SecretID: name})
	if err != nil {
		return nil, err
	}
	return p.Current(ctx)
}

func (u *setup) print(l *archive.Log) error {
	d := &u.done
	d.LogID, d.Origin, d.Home, d.Retention = l.ID, l.Origin, l.Home, l.Retention.Days
	if u.json {
		return printJSON(u.stdout, d)
	}
	var b strings.Builder
	switch {
	case d.Created:
		fmt.Fprintf(&b, "Log %s created %s.\n", l.Origin, u.where())
	case d.KeyCreated:
		fmt.Fprintf(&b, "Log %s was there already %s; its key for writer %s is now complete.\n", l.Origin, u.where(), d.Writer)
	default:
		fmt.Fprintf(&b, "Log %s was there already %s, and so was the key for writer %s: nothing was changed.\n", l.Origin, u.where(), d.Writer)
	}
	fmt.Fprintf(&b, "Entries are kept %d days, and no lock is longer than %d. Key %s signs for writer %s.\n", l.Retention.Days, l.Retention.MaxDays, d.KeyID, d.Writer)
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
