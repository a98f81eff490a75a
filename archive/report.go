package archive

import (
	"fmt"
	"strings"

	"github.com/wormlog/wormlog/keys"
)

// Level says how deep a verification goes. Each level includes the ones before it.
type Level string

// The levels of a verification.
const (
	// LevelLocks: versions, markers, retention, holds, bucket settings; manifests are read but their signatures are not.
	LevelLocks Level = "locks"
	// LevelManifests: also signatures, roles, chain and tree of every manifest, and the store's checksum of every segment.
	LevelManifests Level = "manifests"
	// LevelFull: also every byte and every entry.
	LevelFull Level = "full"
)

func (l Level) known() bool { return l == LevelLocks || l == LevelManifests || l == LevelFull }

// Verdict is the answer of a verification, and of a single finding.
type Verdict string

// Verdicts, worst first.
const (
	Tampered      Verdict = "TAMPERED"       // evidence was changed, forged or put in another place
	Missing       Verdict = "MISSING"        // evidence is gone
	UnderRetained Verdict = "UNDER_RETAINED" // evidence is not locked as it must be
	Shadowed      Verdict = "SHADOWED"       // evidence is hidden or overlaid; the original is intact
	Unverifiable  Verdict = "UNVERIFIABLE"   // a key, a format or a certainty is missing
	NotChecked    Verdict = "NOT_CHECKED"    // a permission, the network or any data at all is missing
	Attention     Verdict = "ATTENTION"      // nothing is wrong with the evidence, but somebody should look
	Intact        Verdict = "INTACT"         // everything in range was checked and is right
	// Information is the verdict of findings that never count.
	Information Verdict = "INFORMATION"
)

var verdictOrder = []Verdict{Tampered, Missing, UnderRetained, Shadowed, Unverifiable, NotChecked, Attention, Intact, Information}

func (v Verdict) known() bool { return v.rank() < len(verdictOrder)-1 }

func (v Verdict) rank() int {
	for i, o := range verdictOrder {
		if v == o {
			return i
		}
	}
	return len(verdictOrder)
}

// ExitStatus is the exit status that commands end with: 0, 1, 3 or 4. (2 is for a run that could not start.)
func (v Verdict) ExitStatus() int {
	switch v {
	case Intact:
		return 0
	case Attention:
		return 4
	case Unverifiable, NotChecked:
		return 3
	}
	return 1
}

// HMACState says whether the HMACs of entries were checked.
type HMACState string

// States of the HMAC column.
const (
	HMACChecked   HMACState = "checked"
	HMACPartly    HMACState = "partly"
	HMACUnchecked HMACState = "unchecked"
	HMACNone      HMACState = "none" // no entry in range carries one, or the level does not read entries
)

func (h HMACState) known() bool {
	return h == HMACChecked || h == HMACPartly || h == HMACUnchecked || h == HMACNone
}

// Placement says whether the bucket is the log's home.
type Placement string

// Placements of an archive.
const (
	PlacementHome Placement = "home"
	PlacementCopy Placement = "copy" // versions and locks are not judged
)

// Finding is one thing a verification has to say about one object version.
type Finding struct {
	Code         Code    `json:"code"`
	Verdict      Verdict `json:"verdict"`
	Key          string  `json:"key"`        // relative to the prefix; empty if it is about no object
	VersionID    string  `json:"version_id"` // empty where there is none
	Entry        *uint64 `json:"entry,omitzero"`
	Detail       string  `json:"detail"`
	Acknowledged bool    `json:"acknowledged,omitzero"`
}

func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", f.Verdict, f.Code)
	if f.Key != "" {
		fmt.Fprintf(&b, " %s", f.Key)
	}
	if f.VersionID != "" {
		fmt.Fprintf(&b, " (version %s)", f.VersionID)
	}
	if f.Entry != nil {
		fmt.Fprintf(&b, " entry %d", *f.Entry)
	}
	fmt.Fprintf(&b, ": %s", f.Detail)
	if f.Acknowledged {
		b.WriteString(" [acknowledged]")
	}
	return b.String()
}

// CanBeAcknowledged says whether an act can take the finding out of the exit status: it is about an object, and about
// something that was looked at, or of which a version is named.
func (f Finding) CanBeAcknowledged() bool {
	return f.Key != "" && (f.Verdict != NotChecked || f.VersionID != "")
}

// Counts is how much a verification looked at.
type Counts struct {
	Streams   uint64 `json:"streams"`
	Manifests uint64 `json:"manifests"`
	Segments  uint64 `json:"segments"`
	Read      uint64 `json:"segments_read"` // segments whose bytes were read
	Entries   uint64 `json:"entries"`       // entries that manifests commit
	Checked   uint64 `json:"entries_checked"`
	Bytes     uint64 `json:"bytes"`     // stored bytes that were read
	RawBytes  uint64 `json:"raw_bytes"` // decompressed bytes that were checked
	Versions  uint64 `json:"versions"`  // object versions and delete markers listed
}

// Scope is what a verification was asked to look at.
type Scope struct {
	Level         Level    `json:"level"`
	SamplePercent uint64   `json:"sample_percent"`
	From          Second   `json:"from,omitzero"`
	To            Second   `json:"to,omitzero"`
	Streams       []string `json:"streams,omitempty"`
}

// Report is what a verification found. It marshals to the JSON that commands print.
type Report struct {
	Format    string     `json:"format"`
	Origin    string     `json:"origin"`
	LogID     keys.LogID `json:"log_id"`
	Genesis   string     `json:"genesis"` // pinned or unpinned
	Home      Home       `json:"home"`    // the bucket that was looked at
	Placement Placement  `json:"placement"`
	Scope     Scope      `json:"scope"`
	Started   Second     `json:"started"`  // by the store's clock
	Finished  Second     `json:"finished"` // by the store's clock
	HMAC      HMACState  `json:"hmac"`
	Tail      string     `json:"tail"`                // unpinned, or "pinned <time>"
	TrustFile Second     `json:"trust_file,omitzero"` // when the one was exported that stood in for what the copy lacks
	Verdict   Verdict    `json:"verdict"`
	Coverage  string     `json:"coverage"`
	Counts    Counts     `json:"counts"`
	// Findings are ordered worst first, then by key, version and entry. FindingsOmitted counts those beyond the limit.
	Findings        []Finding `json:"findings"`
	FindingsOmitted uint64    `json:"findings_omitted,omitzero"`
	// Supposed is what the caller had counted as compromised, beside what acts say: the verdict is not the archive's own.
	Supposed []KeyAct `json:"supposed,omitempty"`
	// Compromised sums up what the keys affect that count as compromised, ascending by key ID.
	Compromised []CompromisedKey `json:"compromised,omitempty"`
	// Keys tells of every key record, ascending by key ID.
	Keys []KeyReport `json:"keys"`
	// Heads is where every stream in range stands, ascending by stream. It is not part of the JSON.
	Heads []Head `json:"-"`
}

// String is the verdict with its coverage, as the last line of a verification shows it.
func (r *Report) String() string { return string(r.Verdict) + " (" + r.Coverage + ")" }

// HeadFile returns the heads in the form that pins the tail for a later run.
func (r *Report) HeadFile() HeadFile {
	return HeadFile{Format: Format, LogID: string(r.LogID), Taken: r.Started, Heads: r.Heads}
}

func (r *Report) coverage() string {
	parts := []string{string(r.Scope.Level), fmt.Sprintf("%d %%", r.Scope.SamplePercent)}
	if r.Scope.Level == LevelFull && r.HMAC != HMACNone {
		parts = append(parts, "HMAC "+string(r.HMAC))
	}
	if !r.Scope.From.IsZero() || !r.Scope.To.IsZero() {
		parts = append(parts, "entries from "+orOpen(r.Scope.From)+" to "+orOpen(r.Scope.To))
	}
	if len(r.Scope.Streams) > 0 {
		parts = append(parts, "streams "+strings.Join(r.Scope.Streams, " "))
	}
	for _, a := range r.Supposed {
		parts = append(parts, fmt.Sprintf("supposing key %s compromised since %s", a.KeyID, a.Since))
	}
	parts = append(parts, "tail "+r.Tail)
	if r.Genesis != genesisPinned {
		parts = append(parts, "genesis: "+r.Genesis)
	}
	if !r.TrustFile.IsZero() {
		parts = append(parts, "trust file of "+day(r.TrustFile.Time))
	}
	if r.Placement == PlacementCopy {
		parts = append(parts, "placement: copy")
	}
	return strings.Join(parts, ", ")
}

func orOpen(s Second) string {
	if s.IsZero() {
		return "…"
	}
	return s.String()
}

const (
	genesisPinned   = "pinned"
	genesisUnpinned = "unpinned"
	tailUnpinned    = "unpinned"
)
