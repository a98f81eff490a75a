package archive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// VerifyConfig says what to verify and how. The zero value of every field but Store is meaningful.
type VerifyConfig struct {
	Store Store
	// LogID is the pinned log ID. Empty: the report says genesis: unpinned, and RequirePin makes that count.
	LogID      keys.LogID
	RequirePin bool
	// Level defaults to LevelFull.
	Level Level
	// SamplePercent of the segments in range are read at LevelFull, chosen at random; 0 means 100.
	SamplePercent int
	// From and To bound the time of entries, From <= t < To; zero is open. Streams are names or <writer>.* patterns; none
	// means all.
	From, To time.Time
	Streams  []string
	// Copies gives the keys of HMACs; nil: they are not checked. RequireHMAC makes unchecked ones count.
	Copies      keys.VerificationCopies
	RequireHMAC bool
	// Heads pins the tail: every head in it must be found or extended.
	Heads *HeadFile
	// Receipts are receipt objects whose entries must be in the archive, Lines single entry lines that must be. Given
	// without a Streams filter, they narrow the run to the streams that they name.
	Receipts [][]byte
	Lines    [][]byte
	// Workers bounds how many objects are read at a time; 0 means twice GOMAXPROCS, at least 4.
	Workers int
	// MaxFindings bounds the findings kept in the report; 0 means 10,000. Beyond it they are counted.
	MaxFindings int
	// RotationDays is after how many days a writer's key is to be replaced: a newest key that is a day older is reported.
	// 0: nobody is.
	RotationDays uint64
	// Suppose has keys, or authorities, count as compromised as if an act said so: what would be affected? The report says
	// so, and its verdict is that of the supposed case.
	Suppose []KeyAct
	// OnAffected is given what each compromised key did in each stream in range, also where none of it is affected. It is
	// called as the streams are walked, by name and never concurrently.
	OnAffected func(Affected)
	// Progress is called now and then, never concurrently.
	Progress func(Counts)
}

const (
	defaultMaxFindings = 10_000
	// grace is how long something unfinished may lie before somebody should look.
	grace = 24 * time.Hour
)

func (c *VerifyConfig) defaults() error {
	if c.Store == nil {
		return errors.New("verify: no Store is given")
	}
	if err := c.pinTrust(); err != nil {
		return err
	}
	if c.Level == "" {
		c.Level = LevelFull
	}
	if !c.Level.known() {
		return fmt.Errorf("verify: the level %q is none of locks, manifests, full", c.Level)
	}
	if c.SamplePercent == 0 {
		c.SamplePercent = 100
	}
	if c.SamplePercent < 0 || c.SamplePercent > 100 {
		return fmt.Errorf("verify: a sample of %d %% is not within 1 to 100", c.SamplePercent)
	}
	if !c.From.IsZero() && !c.To.IsZero() && !c.From.Before(c.To) {
		return errors.New("verify: from is not before to")
	}
	for _, s := range c.Streams {
		if err := checkPattern(s); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
	}
	for i := range c.Suppose {
		if err := c.Suppose[i].KeyID.Valid(); err != nil {
			return fmt.Errorf("verify: what is to be supposed compromised: %w", err)
		}
		if c.Suppose[i].Since.Year() < 2000 {
			return fmt.Errorf("verify: key %s is to be supposed compromised, but it is not said since when", c.Suppose[i].KeyID)
		}
	}
	if c.LogID != "" {
		if err := c.LogID.Valid(); err != nil {
			return fmt.Errorf("verify: the pinned log ID: %w", err)
		}
	}
	if c.Workers <= 0 {
		c.Workers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if c.MaxFindings <= 0 {
		c.MaxFindings = defaultMaxFindings
	}
	return nil
}

// verifier is one run. Fields up to the mutex are set before workers start.
type verifier struct {
	VerifyConfig
	log       *Log
	now       time.Time // the store's clock when the run began
	placement Placement
	keyring   map[keys.ID]*keyState
	keysMu    sync.RWMutex // of keyring: keys can be published while a run is under way
	acts      *acts
	// collecting takes the acts of control streams in the first pass over them; nil afterwards.
	collecting *takenActs
	onFinding  func(Finding) // if not nil, is given every finding, also those that the report has no room for; under the lock
	pins       *pins
	refs       *refs
	scoped     bool // only some streams or times are looked at: no orphans, no strangers
	segments   *segmentPool
	unlisted   map[string]bool // areas whose manifests could not all be listed
	keysCut    bool            // the key records could not all be listed
	continued  map[string]bool // streams that another one continues; used by the walking goroutine alone
	hidden     []Finding       // what was found against acts when they were collected
	silent     []silence
	continues  []continuation
	ends       map[string]streamEnd
	sought     map[keys.ID]bool // keys that were looked for again
	supposed   map[keys.ID]bool // keys that count as compromised because the caller supposes so
	scopes     map[keys.ID]*CompromisedKey
	unvouched  map[keys.ID][]keys.ID // key records by the key that signed them, of which there is no record

	sampled atomic.Bool // a segment was read

	mu       sync.Mutex
	report   *Report
	reported map[reportedKey]bool
	hmacYes  uint64
	hmacNo   uint64
}

type reportedKey struct {
	code         Code
	key, version string
	entry        uint64
	detail       string
}

// Verify looks at every object version in range and returns what it found. An error means that the run could not start
// (no such bucket, no answer at all, a bad configuration) or was cancelled; whatever else goes wrong on the way is in the
// report, as not checked.
func Verify(ctx context.Context, c VerifyConfig) (*Report, error) {
	v, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	return v.complete(ctx)
}

// newRun begins a run: it checks the configuration and asks the store for its time.
func newRun(ctx context.Context, c VerifyConfig) (*verifier, error) {
	if err := c.defaults(); err != nil {
		return nil, err
	}
	now, err := c.Store.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: asking the bucket %s: %w", c.Store.Home().Bucket, err)
	}
	v := newVerifier(c, now)
	if v.pins, err = newPins(&v.VerifyConfig); err != nil {
		return nil, err
	}
	if f := v.trustFile(); f != nil {
		v.report.TrustFile = f.Exported
	}
	if v.pins.only != nil {
		v.report.Scope.Streams = v.pins.only
	}
	return v, nil
}

func (v *verifier) complete(ctx context.Context) (*Report, error) {
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	return v.finish(ctx)
}

func newVerifier(c VerifyConfig, now time.Time) *verifier {
	return &verifier{
		VerifyConfig: c, now: now, reported: map[reportedKey]bool{}, refs: newRefs(), keyring: map[keys.ID]*keyState{},
		acts: newActs(), unlisted: map[string]bool{}, continued: map[string]bool{}, sought: map[keys.ID]bool{}, unvouched: map[keys.ID][]keys.ID{},
		supposed: map[keys.ID]bool{}, scopes: map[keys.ID]*CompromisedKey{},
		report: &Report{
			Format: Format, Home: c.Store.Home(), Genesis: genesisUnpinned, Placement: PlacementHome, Tail: tailUnpinned,
			Started: Second{now.UTC().Truncate(time.Second)}, HMAC: HMACNone,
			Scope: Scope{Level: c.Level, SamplePercent: uint64(c.SamplePercent), From: Second{c.From}, To: Second{c.To}, Streams: c.Streams},
		},
	}
}

// run looks at everything in the order in which it can be judged: genesis, keys, acts, streams, and then whatever
// nothing referred to.
func (v *verifier) run(ctx context.Context) error {
	ok, err := v.judgeGenesis(ctx)
	if err != nil || !ok {
		return err
	}
	v.scoped = len(v.Streams) > 0 || len(v.pins.only) > 0 || !v.From.IsZero() || !v.To.IsZero()
	v.loadKeys(ctx)
	if err := v.collectActs(ctx); err != nil {
		return err
	}
	v.acknowledgeEarlier()
	if v.acts.home != nil {
		v.place(*v.acts.home)
	}
	if v.trustFile() != nil && v.placement == PlacementHome {
		return errTrustAtHome
	}
	v.judgeTrust(ctx)
	v.judgeSettings(ctx)
	v.judgeReceipts()
	v.judgeLostKeys()
	if v.Heads != nil && v.Heads.LogID != string(v.log.ID) {
		return fmt.Errorf("verify: the head file is of the log %s, not of %s", v.Heads.LogID, v.log.ID)
	}
	v.segments = newSegmentPool(ctx, v)
	for _, area := range areas {
		v.walk(ctx, area)
	}
	if !v.scoped {
		v.judgeUnreferenced(ctx)
	}
	v.segments.wait()
	v.tellHidden()
	v.judgeUnvouched()
	v.judgeAnchors()
	v.judgeRotation()
	v.pins.finish(ctx, v)
	v.judgeEmpty()
	v.judgeCopiedLocks()
	return ctx.Err()
}

// place says whether the bucket that is looked at is the log's home.
func (v *verifier) place(home Home) {
	v.placement = PlacementHome
	if here := v.Store.Home(); here.Bucket != home.Bucket || here.Prefix != home.Prefix {
		v.placement = PlacementCopy
	}
}

// areas are the folders that hold manifests/ and segments/: those of the control roles, and the root for data streams.
var areas = []string{
	"control/" + ControlAuthority + "/",
	"control/" + ControlCustodian + "/",
	"control/" + ControlVerifier + "/",
	dataArea,
}

const dataArea = ""

// find adds a finding with its usual verdict.
func (v *verifier) find(code Code, key, version, format string, args ...any) {
	v.add(Finding{Code: code, Verdict: codes[code], Key: key, VersionID: version, Detail: fmt.Sprintf(format, args...)})
}

// findAs adds a finding whose verdict is another than the usual one.
func (v *verifier) findAs(verdict Verdict, code Code, key, version, format string, args ...any) {
	v.add(Finding{Code: code, Verdict: verdict, Key: key, VersionID: version, Detail: fmt.Sprintf(format, args...)})
}

func (v *verifier) add(f Finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := reportedKey{code: f.Code, key: f.Key, version: f.VersionID, detail: f.Detail}
	if f.Entry != nil {
		k.entry = *f.Entry + 1
	}
	if v.reported[k] {
		return
	}
	f.Acknowledged = v.acts.acknowledges(f)
	v.weigh(f)
	if v.onFinding != nil {
		v.onFinding(f)
	}
	if len(v.report.Findings) >= v.MaxFindings {
		v.report.FindingsOmitted++
		return
	}
	v.reported[k] = true
	v.report.Findings = append(v.report.Findings, f)
}

// acknowledgeEarlier applies the acknowledgements to what was found before they were known.
func (v *verifier) acknowledgeEarlier() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.report.FindingsOmitted > 0 {
		return // those that are not kept may be what the verdict comes from
	}
	v.report.Verdict = ""
	for i := range v.report.Findings {
		f := &v.report.Findings[i]
		f.Acknowledged = v.acts.acknowledges(*f)
		v.weigh(*f)
	}
}

// weigh makes a finding count in the verdict, unless it is acknowledged. Callers hold the lock.
func (v *verifier) weigh(f Finding) {
	if !f.Acknowledged && (v.report.Verdict == "" || f.Verdict.rank() < v.report.Verdict.rank()) {
		v.report.Verdict = f.Verdict
	}
}

// count changes the counts under the lock, and passes them on.
func (v *verifier) count(change func(*Counts)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.report.Counts)
	if v.Progress != nil {
		v.Progress(v.report.Counts)
	}
}

// judgeCopiedLocks keeps a run that looks at locks alone from calling a copy right, whose locks are not judged.
func (v *verifier) judgeCopiedLocks() {
	if v.Level == LevelLocks && v.placement == PlacementCopy {
		v.find(CodeOutOfScope, "", "", "this is a copy, whose locks are not judged, and level locks looks at little else: use level manifests or full")
	}
}

// judgeEmpty makes sure that nothing seen is never success.
func (v *verifier) judgeEmpty() {
	c := v.report.Counts
	switch {
	case v.pins.only != nil: // entries that were asked for are judged by themselves
	case c.Manifests > 0 && v.trustFile() != nil && !v.scoped && !v.beyondTrust():
		v.find(CodeEmpty, "", "", "the copy holds no stream beside those that the trust file brings along, so nothing of it was checked")
	case c.Manifests > 0:
	case v.scoped:
		v.find(CodeOutOfScope, "", "", "no manifest is in range, so nothing was checked")
	default:
		v.find(CodeEmpty, "", "", "the log holds no stream yet, so there is nothing to vouch for")
	}
}

func (v *verifier) finish(ctx context.Context) (*Report, error) {
	r := v.report
	now, err := v.Store.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: asking the bucket %s: %w", r.Home.Bucket, err)
	}
	r.Finished = Second{now.UTC().Truncate(time.Second)}
	r.Placement = v.placement
	if v.log != nil {
		r.Origin, r.LogID = v.log.Origin, v.log.ID
	}
	r.HMAC = v.hmacState()
	if r.Verdict == "" || r.Verdict == Information {
		r.Verdict = Intact
	}
	slices.SortStableFunc(r.Findings, compareFindings)
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	slices.SortFunc(r.Heads, func(a, b Head) int { return strings.Compare(a.Stream, b.Stream) })
	r.Keys, r.Compromised = v.keyReports(), v.compromisedKeys()
	r.Coverage = r.coverage()
	return r, nil
}

func (v *verifier) hmacState() HMACState {
	switch {
	case v.hmacYes > 0 && v.hmacNo > 0:
		return HMACPartly
	case v.hmacYes > 0:
		return HMACChecked
	case v.hmacNo > 0:
		return HMACUnchecked
	}
	return HMACNone
}

func compareFindings(a, b Finding) int {
	if a.Verdict != b.Verdict {
		return a.Verdict.rank() - b.Verdict.rank()
	}
	if c := strings.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	if c := strings.Compare(a.VersionID, b.VersionID); c != 0 {
		return c
	}
	return strings.Compare(string(a.Code), string(b.Code))
}
