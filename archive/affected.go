package archive

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wormlog/wormlog/keys"
)

// Affected is what one compromised key did in one stream of those in range that could be verified: what has to be doubted
// because of it, and what stands. At [LevelLocks] it is what is written in manifests whose signatures nobody has looked at.
type Affected struct {
	KeyID keys.ID `json:"key_id"`
	Since Second  `json:"since"` // from when on the key counts as compromised
	// Supposed: no act says so, [VerifyConfig.Suppose] does.
	Supposed bool `json:"supposed,omitzero"`
	// Because is the compromised authority that vouched for the key, if the key counts as compromised for that alone.
	Because keys.ID `json:"because,omitempty"`
	Stream  string  `json:"stream"`
	// Objects are what the key signed and the store dated at or after Since, or did not date at all (in a copy, or a
	// replica): manifests, and segments with entries of the key, in the order of the stream. None: all of it is older.
	Objects []AffectedObject `json:"objects"`
	// Entries are those of the affected segments, First and Last their first and last timestamp.
	Entries uint64  `json:"entries"`
	First   Instant `json:"first,omitzero"`
	Last    Instant `json:"last,omitzero"`
	// Countersigned: a countersignature in force covers every one of Objects, and there are some.
	Countersigned bool `json:"countersigned"`
	// Signed is the last manifest that a countersignature in force names for this key, nil if none does.
	Signed *CountersignedHead `json:"signed,omitzero"`
	// Before is the last manifest by the key, or with entries of it, before the first of Objects: up to it the store's dates
	// say that the stream stands. Head is the last one at all. Pinned is the head that [VerifyConfig.Heads] names, if the
	// stream contains it and the key signed something up to there.
	Before *CountersignedHead `json:"before,omitzero"`
	Head   *CountersignedHead `json:"head,omitzero"`
	Pinned *CountersignedHead `json:"pinned,omitzero"`
	// Keys are all record keys that sign in the stream, ascending.
	Keys []keys.ID `json:"keys"`
}

// AffectedObject is one object that has to be doubted.
type AffectedObject struct {
	Kind      string `json:"kind"` // manifest or segment
	Key       string `json:"key"`
	VersionID string `json:"version_id"`
	// Sequence and Date are those of the manifest that it is or that commits it. Date is the store's, zero if it does not
	// count.
	Sequence uint64 `json:"sequence"`
	Date     Second `json:"date,omitzero"`
	// FirstIndex to Last are about the entries of a segment. If it has entries of other keys too, the manifest does not say
	// which are whose, and all are counted.
	FirstIndex    uint64  `json:"first_index"`
	Count         uint64  `json:"count"` // 0 for a manifest
	First         Instant `json:"first,omitzero"`
	Last          Instant `json:"last,omitzero"`
	Countersigned bool    `json:"countersigned"` // a countersignature in force covers it
}

// CompromisedKey sums up what is affected by one compromised key, in the streams that were in range.
type CompromisedKey struct {
	KeyID    keys.ID `json:"key_id"`
	Since    Second  `json:"since"`
	Supposed bool    `json:"supposed,omitzero"` // no act says so, [VerifyConfig.Suppose] does
	// Because is the compromised authority that vouched for the key, if the key counts as compromised for that alone.
	// Authorities that an act names are listed too; they sign nothing in streams.
	Because keys.ID `json:"because,omitempty"`
	// Streams counts those with affected objects, Objects and Entries what is affected in them, Countersigned how many of
	// the objects a countersignature in force covers.
	Streams       uint64 `json:"streams"`
	Objects       uint64 `json:"objects"`
	Entries       uint64 `json:"entries"`
	Countersigned uint64 `json:"countersigned"`
	// FirstEntry and LastEntry are timestamps of entries, FirstDate and LastDate the store's dates of manifests.
	FirstEntry Instant `json:"first_entry,omitzero"`
	LastEntry  Instant `json:"last_entry,omitzero"`
	FirstDate  Second  `json:"first_date,omitzero"`
	LastDate   Second  `json:"last_date,omitzero"`
}

// add takes in what is affected in one more stream.
func (k *CompromisedKey) add(a *Affected) {
	if len(a.Objects) == 0 {
		return
	}
	k.Streams++
	k.Objects += uint64(len(a.Objects))
	k.Entries += a.Entries
	for i := range a.Objects {
		o := &a.Objects[i]
		if o.Countersigned {
			k.Countersigned++
		}
		widen(&k.FirstDate.Time, &k.LastDate.Time, o.Date.Time)
	}
	widen(&k.FirstEntry.Time, &k.LastEntry.Time, a.First.Time)
	widen(&k.FirstEntry.Time, &k.LastEntry.Time, a.Last.Time)
}

// String is a sentence about the key.
func (k CompromisedKey) String() string {
	var b strings.Builder
	how := "compromised"
	if k.Supposed {
		how = "supposed to be compromised"
	}
	fmt.Fprintf(&b, "key %s, %s since %s: ", k.KeyID, how, k.Since)
	if k.Because != "" {
		fmt.Fprintf(&b, "(because of the authority %s) ", k.Because)
	}
	if k.Objects == 0 {
		b.WriteString("it signed nothing in range that the store dates later")
		return b.String()
	}
	fmt.Fprintf(&b, "%d streams, %d objects, %d entries", k.Streams, k.Objects, k.Entries)
	if k.Entries > 0 {
		fmt.Fprintf(&b, " of %s to %s", k.FirstEntry, k.LastEntry)
	}
	if !k.FirstDate.IsZero() {
		fmt.Fprintf(&b, ", archived %s to %s", k.FirstDate, k.LastDate)
	}
	fmt.Fprintf(&b, "; %d objects are countersigned", k.Countersigned)
	return b.String()
}

// String is a line about the stream, without the objects.
func (a Affected) String() string {
	if len(a.Objects) == 0 {
		return fmt.Sprintf("%s: nothing that key %s signed is affected", a.Stream, a.KeyID)
	}
	s := fmt.Sprintf("%s: %d objects by key %s, %d entries", a.Stream, len(a.Objects), a.KeyID, a.Entries)
	if a.Entries > 0 {
		s += fmt.Sprintf(" of %s to %s", a.First, a.Last)
	}
	if a.Countersigned {
		s += ", countersigned"
	}
	return s
}

// affectedColumns are the fields of a row of CSV.
var affectedColumns = []string{
	"key_id", "since", "supposed", "stream", "kind", "object", "version_id", "sequence", "date", "first_index", "entries",
	"first_timestamp", "last_timestamp", "countersigned",
}

// FormatAffectedCSV returns what is affected as CSV (RFC 4180), a row for each object. Without arguments it returns the
// header. Each field that a spreadsheet could take for a formula has an apostrophe in front, and what is not printable is
// escaped: version IDs and names are anybody's. JSON has the exact text.
func FormatAffectedCSV(affected ...Affected) string {
	var b strings.Builder
	if len(affected) == 0 {
		appendCSV(&b, affectedColumns)
	}
	for _, a := range affected {
		for _, o := range a.Objects {
			row := []string{string(a.KeyID), a.Since.String(), strconv.FormatBool(a.Supposed), a.Stream, o.Kind, o.Key, o.VersionID,
				strconv.FormatUint(o.Sequence, 10), orNothing(o.Date.Time, o.Date), "", "", "", "", strconv.FormatBool(o.Countersigned)}
			if o.Count > 0 {
				row[9], row[10] = strconv.FormatUint(o.FirstIndex, 10), strconv.FormatUint(o.Count, 10)
				row[11], row[12] = o.First.String(), o.Last.String()
			}
			appendCSV(&b, row)
		}
	}
	return b.String()
}

func orNothing(t time.Time, s fmt.Stringer) string {
	if t.IsZero() {
		return ""
	}
	return s.String()
}

func appendCSV(b *strings.Builder, fields []string) {
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(csvField(f))
	}
	b.WriteString("\r\n")
}

// csvField makes a field harmless: printable, no formula, quoted where CSV needs it.
func csvField(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		s = strings.Trim(strconv.Quote(s), `"`)
	}
	if s != "" && strings.ContainsRune("=+-@'", rune(s[0])) {
		s = "'" + s
	}
	if strings.ContainsAny(s, `",`) {
		s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}
