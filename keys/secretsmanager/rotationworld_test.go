package secretsmanager_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

const (
	testLog = keys.LogID("abababababababababababababababababababababababababababababababab")
	signing = "wormlog/payments"
	copies  = "wormlog/payments/verification"
	token   = "11111111-2222-3333-4444-555555555555"
)

// world is a Secrets Manager, an archive of key records, and what rotates there. Every request and every use of the
// archive is a call with a number; a fault hits one of them.
type world struct {
	t       testing.TB
	srv     *devserver.Server
	url     string
	admin   *sm.Client // looks on; its requests are not calls
	archive *records
	first   keys.ID // the key that is in force before
	always  bool    // after every call, what is in force must be complete

	mu  sync.Mutex
	now time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 22, 17, 26, 0, 0, time.UTC), archive: &records{of: map[keys.ID]keys.Record{}}}
	srv, err := devserver.New(devserver.Config{Now: w.time})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	if w.url, err = srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.srv = srv
	w.admin = w.client("admin", direct{srv})
	return w
}

// withKey is a world in which init has made the first key.
func withKey(t testing.TB, alg keys.Algorithm) *world {
	t.Helper()
	w := newWorld(t)
	b, r, err := keys.NewKey(testLog, keys.RoleWriter, "payments.*", alg, secretsmanager.Source(signing), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := (secretsmanager.Store{API: w.admin}).CreateBundle(t.Context(), signing, b); err != nil {
		t.Fatal(err)
	}
	if c := b.VerificationCopy(); c != nil {
		if err := (secretsmanager.Copies{API: w.admin, Prefix: copies}).PutCopy(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	w.archive.of[b.KeyID()] = r
	w.first, w.always = b.KeyID(), true
	return w
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// client is the real SDK client without retries.
func (w *world) client(caller string, rt http.RoundTripper) *sm.Client {
	return sm.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(w.url), HTTPClient: &http.Client{Transport: rt},
		Credentials: credentials.NewStaticCredentialsProvider(caller, "secret", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	})
}

// direct asks a server without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(q *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, q)
	return w.Result(), nil
}

// outcome is what becomes of the call that a fault hits.
type outcome string

const (
	lost         outcome = "lost"
	replyLost    outcome = "reply lost"
	refused      outcome = "refused"
	crashBefore  outcome = "crash before"
	crashAfter   outcome = "crash after"
	somebodyElse outcome = "somebody else" // before it, hook runs
)

var errArchive = errors.New("the archive did not answer")

// rotator is one process that rotates, with its own count of calls.
type rotator struct {
	*world
	*secretsmanager.Rotation
	ctx    context.Context
	cancel context.CancelFunc

	calls  []string
	at     int // the call that is hit, from 1
	what   outcome
	hook   func()
	caller string
}

// rotator starts a process whose call number at meets the outcome; 0 is none.
func (w *world) rotator(at int, what outcome) *rotator {
	r := &rotator{world: w, at: at, what: what, caller: "rotation"}
	r.ctx, r.cancel = context.WithCancel(w.t.Context())
	client := w.client(r.caller, r)
	r.Rotation = &secretsmanager.Rotation{
		API: client, Log: testLog, Copies: secretsmanager.Copies{Prefix: copies},
		Record: func(ctx context.Context, id keys.ID) (rec keys.Record, err error) {
			err = r.use("Record", func() error { rec, err = w.archive.read(id); return err })
			return rec, err
		},
		Publish: func(ctx context.Context, rec keys.Record) error {
			return r.use("Publish", func() error { return w.archive.add(rec) })
		},
	}
	return r
}

// begin counts a call and reports what becomes of it.
func (r *rotator) begin(name string) outcome {
	r.calls = append(r.calls, name)
	if len(r.calls) != r.at {
		return ""
	}
	switch r.what {
	case crashBefore:
		r.cancel()
	case somebodyElse:
		r.hook()
		return ""
	}
	return r.what
}

// use is a call to the archive.
func (r *rotator) use(name string, effect func() error) error {
	defer r.check()
	switch what := r.begin(name); what {
	case lost, refused:
		return errArchive
	case replyLost, crashAfter:
		_ = effect()
		if what == crashAfter {
			r.cancel()
		}
		return errArchive
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	return effect()
}

// RoundTrip is a call to Secrets Manager.
func (r *rotator) RoundTrip(q *http.Request) (*http.Response, error) {
	defer r.check()
	var f devserver.Fault
	_, name, _ := strings.Cut(q.Header.Get("X-Amz-Target"), ".")
	what := r.begin(name)
	switch what {
	case lost:
		f.Outcome = devserver.Lost
	case replyLost:
		f.Outcome = devserver.ReplyLost
	case refused:
		f.Outcome, f.Status, f.Code = devserver.Lost, http.StatusServiceUnavailable, "InternalServiceError"
	case crashAfter:
		reply, err := http.DefaultTransport.RoundTrip(q)
		if err == nil {
			_ = reply.Body.Close()
		}
		r.cancel()
		return nil, context.Canceled
	}
	if err := q.Context().Err(); err != nil {
		return nil, err
	}
	if what != "" {
		defer r.srv.Inject(f)()
	}
	reply, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(reply.Body) // before anything else is asked
	_ = reply.Body.Close()
	reply.Body = io.NopCloser(bytes.NewReader(body))
	return reply, err
}

// check looks at the world after a call, unless that only read.
func (r *rotator) check() {
	switch r.calls[len(r.calls)-1] {
	case "DescribeSecret", "GetSecretValue", "Record":
		return
	}
	if r.always {
		r.complete(fmt.Sprintf("after call %d (%v)", len(r.calls), r.calls))
	}
}

// complete fails the test unless whoever reads AWSCURRENT gets a bundle whose record is published and whose copy exists.
func (w *world) complete(when string) *keys.Bundle {
	w.t.Helper()
	b, err := w.bundle("AWSCURRENT")
	if err != nil {
		w.t.Errorf("%s: what is in force: %v", when, err)
		return nil
	}
	rec, err := w.archive.read(b.KeyID())
	if err != nil {
		w.t.Errorf("%s: key %s is in force and its record is not published: %v", when, b.KeyID(), err)
		return nil
	}
	if _, err := b.SigningKey(rec); err != nil {
		w.t.Errorf("%s: %v", when, err)
	}
	if b.VerificationCopy() != nil {
		if _, err := (secretsmanager.Copies{API: w.admin, Prefix: copies}).EntryKey(w.t.Context(), b.KeyID()); err != nil {
			w.t.Errorf("%s: %v", when, err)
		}
	}
	return b
}

func (w *world) bundle(stage string) (*keys.Bundle, error) {
	out, err := w.admin.GetSecretValue(context.WithoutCancel(w.t.Context()), &sm.GetSecretValueInput{SecretId: aws.String(signing), VersionStage: &stage})
	if err != nil {
		return nil, err
	}
	return keys.ParseBundle([]byte(*out.SecretString))
}

// stages is where the labels of the signing secret are.
func (w *world) stages() map[string]string {
	w.t.Helper()
	out, err := w.admin.DescribeSecret(w.t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(signing)})
	if absent := (*types.ResourceNotFoundException)(nil); errors.As(err, &absent) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	where := map[string]string{}
	for version, labels := range out.VersionIdsToStages {
		for _, label := range labels {
			where[label] = version
		}
	}
	return where
}

// everything is all that there is, to compare: every version of every secret with its labels and value, and the records.
func (w *world) everything() string {
	w.t.Helper()
	var all []string
	list, err := w.admin.ListSecrets(w.t.Context(), &sm.ListSecretsInput{MaxResults: aws.Int32(100), IncludePlannedDeletion: aws.Bool(true)})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range list.SecretList {
		versions, err := w.admin.ListSecretVersionIds(w.t.Context(), &sm.ListSecretVersionIdsInput{SecretId: s.Name, IncludeDeprecated: aws.Bool(true), MaxResults: aws.Int32(100)})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, v := range versions.Versions {
			value := "none"
			if out, err := w.admin.GetSecretValue(w.t.Context(), &sm.GetSecretValueInput{SecretId: s.Name, VersionId: v.VersionId}); err == nil {
				value = aws.ToString(out.SecretString)
			}
			slices.Sort(v.VersionStages)
			all = append(all, fmt.Sprint(*s.Name, " ", *v.VersionId, " ", v.VersionStages, " ", value))
		}
	}
	for _, id := range w.archive.ids() {
		all = append(all, "record "+string(id))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// rotated fails the test unless exactly one rotation has happened, all of it, in this version.
func (w *world) rotated(version string) {
	w.t.Helper()
	b := w.complete("at the end")
	if b == nil {
		return
	}
	where := w.stages()
	if where["AWSCURRENT"] != version || where["AWSPREVIOUS"] != secretsmanager.InitialVersion(signing) || where["AWSPENDING"] != "" {
		w.t.Errorf("labels %v, want AWSCURRENT on %s, AWSPREVIOUS on the first one and no AWSPENDING", where, version)
	}
	if old, err := w.bundle("AWSPREVIOUS"); err != nil || old.KeyID() != w.first {
		w.t.Errorf("%v, %v: want the key before", old, err)
	}
	rec, _ := w.archive.read(b.KeyID())
	want := map[string]string{"provider": "aws-secretsmanager", "secret": signing, "version": version}
	if rec.Previous != w.first || rec.Streams != "payments.*" || !maps.Equal(rec.Source, want) {
		w.t.Errorf("record %+v", rec)
	}
	if ids := w.archive.ids(); len(ids) != 2 {
		w.t.Errorf("records of %v, want the key before and the new one", ids)
	}
	lines := strings.Split(w.everything(), "\n")
	of := func(prefix string) (n int) {
		for _, l := range lines {
			if strings.HasPrefix(l, prefix) {
				n++
			}
		}
		return n
	}
	if of(signing+" ") != 2 || (b.VerificationCopy() != nil && of(copies+"/") != 2) {
		w.t.Errorf("not exactly two keys: %d versions, %d copies", of(signing+" "), of(copies+"/"))
	}
}

// put stores a value in the signing secret as somebody does by hand.
func (w *world) put(name, version, value string, stages ...string) {
	w.t.Helper()
	_, err := w.admin.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: &name, ClientRequestToken: &version, SecretString: &value, VersionStages: stages})
	if err != nil {
		w.t.Fatal(err)
	}
}

// unlabel takes a label off a version of the signing secret.
func (w *world) unlabel(label, version string) {
	w.t.Helper()
	_, err := w.admin.UpdateSecretVersionStage(w.t.Context(), &sm.UpdateSecretVersionStageInput{SecretId: aws.String(signing), VersionStage: &label, RemoveFromVersionId: &version})
	if err != nil {
		w.t.Fatal(err)
	}
}

// records is an archive of key records.
type records struct {
	mu sync.Mutex
	of map[keys.ID]keys.Record
}

func (a *records) read(id keys.ID) (keys.Record, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.of[id]
	if !ok {
		return r, fmt.Errorf("%w: no record of key %s", keys.ErrNotFound, id)
	}
	return r, nil
}

func (a *records) add(r keys.Record) error {
	id, err := r.ID()
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of[id] = r
	return nil
}

func (a *records) ids() []keys.ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.of))
}

func event(step string) secretsmanager.Event {
	return secretsmanager.Event{Step: step, SecretID: signing, ClientRequestToken: token, RotationToken: "who asks"}
}

var steps = []string{secretsmanager.StepCreate, secretsmanager.StepSet, secretsmanager.StepTest, secretsmanager.StepFinish}

// must carries out steps, each twice.
func (w *world) must(names ...string) {
	w.t.Helper()
	for _, step := range names {
		for range 2 {
			if err := w.step(step); err != nil {
				w.t.Fatalf("%v", err)
			}
		}
	}
}

// step carries out one step in a process of its own.
func (w *world) step(name string) error {
	r := w.rotator(0, "")
	defer r.cancel()
	return r.Step(r.ctx, event(name))
}

// run carries out a whole rotation in a process of its own.
func (w *world) run() (secretsmanager.Rotated, error) {
	r := w.rotator(0, "")
	defer r.cancel()
	return r.Run(r.ctx, signing)
}
