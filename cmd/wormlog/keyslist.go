package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
)

func (a *app) keysListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys of the log: state, age, next rotation, what each signed, until when its record is needed and kept",
		Long: "List the key records in the archive: what each key may sign, its state, its age by S3's date and when it is to be replaced\n" +
			"(key_rotation_days), what it signed, until when its record is needed, and until when it is kept. The key that the signing\n" +
			"secret holds now is marked as current; to know it, the command reads the secret's key ID.\n\n" +
			"States: active; superseded, when another record names it as the one before; retired and compromised, when an act of the\n" +
			"authority says so; not believed, when its record is not what it must be.\n\n" +
			"All manifests are read for what the keys signed, but not judged: that is `wormlog verify`. --quick leaves it out.\n" +
			"Exit status: 1 a record is not to be believed, 3 not everything could be looked at.",
		Example: "  wormlog keys list\n  wormlog keys list --quick --json\n  wormlog keys list --authority recovery",
		Args:    cobra.NoArgs,
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupKeys)
	for _, name := range []string{"writer", "signing_secret", "signing_key_env"} {
		config.AddFlag(c.Flags(), name)
	}
	quick := c.Flags().Bool("quick", false, "leave out what the keys signed, and read no manifests of writers")
	authority := c.Flags().String("authority", "", "print the ID of this key of genesis and nothing else: online or recovery")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := a.open(c)
		if err != nil {
			return err
		}
		l, err := s.openLog(c.Context())
		if err != nil {
			return err
		}
		if *authority != "" {
			return s.printAuthority(l, *authority)
		}
		return s.listKeys(c.Context(), l, *quick)
	}
	return c
}

func (s *session) printAuthority(l *archive.Log, name string) error {
	a, ok := l.Authority(name)
	if !ok {
		return fmt.Errorf("genesis names no authority %q; it is online or recovery", name)
	}
	if s.json {
		return printJSON(s.stdout, map[string]string{"name": name, "key_id": string(a.ID())})
	}
	_, err := fmt.Fprintln(s.stdout, a.ID())
	return err
}

// keyRow is a key as it is listed.
type keyRow struct {
	archive.KeyReport
	Current     bool           `json:"current"`
	AgeDays     int            `json:"age_days"`
	Rotation    archive.Second `json:"next_rotation,omitzero"` // when it is to be replaced
	OverdueDays int            `json:"overdue_days,omitzero"`
	Records     int            `json:"records,omitzero"` // that it signed, if its role is online
}

type authorityRow struct {
	Name    string         `json:"name"`
	ID      keys.ID        `json:"key_id"`
	Since   archive.Second `json:"compromised_since,omitzero"`
	Records int            `json:"records"` // that it signed
}

type keyList struct {
	LogID       keys.LogID     `json:"log_id"`
	Authorities []authorityRow `json:"authorities"`
	Keys        []keyRow       `json:"keys"`
	Current     string         `json:"current"`         // the key of the signing secret, or why it is not known
	Quick       bool           `json:"quick,omitempty"` // what the keys signed was not looked at
}

// keyReports asks for the state of all keys, and unless it is to be quick also for what they signed.
func (s *session) keyReports(ctx context.Context, l *archive.Log, quick bool) (*archive.Report, error) {
	c := archive.VerifyConfig{Store: s.store, LogID: l.ID, Level: archive.LevelLocks, RotationDays: s.KeyRotationDays, MaxFindings: 1 << 20}
	if quick {
		c.Streams = []string{archive.ControlAuthority + ".*"} // nothing but records and acts
	}
	bar := s.verifyBar(&c)
	defer bar.end()
	return archive.Verify(ctx, c)
}

func (s *session) listKeys(ctx context.Context, l *archive.Log, quick bool) error {
	r, err := s.keyReports(ctx, l, quick)
	if err != nil {
		return err
	}
	list := keyList{LogID: l.ID, Keys: []keyRow{}, Quick: quick}
	records := map[keys.ID]int{} // by who signed them
	for _, k := range r.Keys {
		records[k.SignedBy]++
	}
	for _, a := range l.Authorities {
		list.Authorities = append(list.Authorities, authorityRow{a.Name, a.ID(), compromisedSince(r, a.ID()), records[a.ID()]})
	}
	current, err := s.currentKey(ctx, l.Origin)
	list.Current = string(current)
	if err != nil {
		list.Current = "not known: " + err.Error()
	}
	for _, k := range r.Keys {
		row := s.keyRow(r, k, current, quick)
		row.Records = records[k.KeyID]
		list.Keys = append(list.Keys, row)
	}
	// The oldest first, and at the end those that S3 does not date.
	slices.SortStableFunc(list.Keys, func(a, b keyRow) int { return a.order().Compare(b.order()) })
	if err := s.printKeys(list); err != nil {
		return err
	}
	return errors.Join(notBelieved(list), unread(r))
}

func (k keyRow) order() time.Time {
	if k.Published.IsZero() {
		return time.Unix(1<<40, 0)
	}
	return k.Published.Time
}

// compromisedSince returns since when a key counts as compromised; zero if it does not.
func compromisedSince(r *archive.Report, id keys.ID) archive.Second {
	for _, k := range r.Compromised {
		if k.KeyID == id {
			return k.Since
		}
	}
	return archive.Second{}
}

func (s *session) keyRow(r *archive.Report, k archive.KeyReport, current keys.ID, quick bool) keyRow {
	const aDay = 24 * time.Hour
	row := keyRow{KeyReport: k, Current: k.KeyID == current && k.State != archive.KeyNotBelieved}
	if quick {
		row.Signed, row.VouchesUntil = archive.KeyUse{}, archive.Second{}
	}
	if k.Published.IsZero() {
		return row
	}
	row.AgeDays = int(r.Finished.Sub(k.Published.Time) / aDay)
	if s.KeyRotationDays == 0 || k.Role != keys.RoleWriter || k.State != archive.KeyActive {
		return row
	}
	row.Rotation.Time = k.Published.Add(time.Duration(s.KeyRotationDays) * aDay)
	if late := r.Finished.Sub(row.Rotation.Time); late > 0 {
		row.OverdueDays = int(late / aDay)
	}
	return row
}

// notBelieved makes records that nobody can rely on count in the exit status.
func notBelieved(list keyList) error {
	wrong := 0
	for _, k := range list.Keys {
		if k.State == archive.KeyNotBelieved {
			wrong++
		}
	}
	if wrong == 0 {
		return nil
	}
	return exit(exitNo, withHint(fmt.Errorf("%s cannot be believed", count(wrong, "key record")), "`wormlog verify` says what that means for the evidence"))
}

// unread says so if key records or acts could not all be looked at: states may be others then.
func unread(r *archive.Report) error {
	for _, f := range r.Findings {
		about := strings.HasPrefix(f.Key, "keys/") || strings.HasPrefix(f.Key, "control/"+archive.ControlAuthority+"/")
		switch f.Verdict {
		case archive.NotChecked, archive.Missing, archive.Unverifiable, archive.Tampered:
			if about && f.Code != archive.CodeKeyCompromised && f.Code != archive.CodeHMACUnchecked {
				return exit(exitUnknown, withHint(fmt.Errorf("states of keys may be others, as not all key records and acts could be relied on: %s", f), "`wormlog verify` says what else is wrong"))
			}
		}
	}
	return nil
}

func (s *session) currentKey(ctx context.Context, origin string) (keys.ID, error) {
	p, err := s.provider(ctx, origin)
	if err != nil {
		return "", err
	}
	b, err := p.Current(ctx)
	if err != nil {
		return "", err
	}
	return b.KeyID(), nil
}

func (s *session) printKeys(list keyList) error {
	if s.json {
		return printJSON(s.stdout, list)
	}
	fmt.Fprintf(s.stdout, "Log %s\n", list.LogID)
	for _, a := range list.Authorities {
		state := ""
		if !a.Since.IsZero() {
			state = ", compromised since " + a.Since.String()
		}
		fmt.Fprintf(s.stdout, "Authority %s: key %s, %s%s\n", a.Name, a.ID, count(a.Records, "key record"), state)
	}
	for _, k := range list.Keys {
		fmt.Fprintln(s.stdout)
		for i, line := range k.lines(list.Quick) {
			if i > 0 {
				line = "  " + line
			}
			fmt.Fprintln(s.stdout, visible(line))
		}
	}
	if strings.HasPrefix(list.Current, "not known") {
		fmt.Fprintln(s.stdout, visible("\nWhich key is current is "+list.Current))
	}
	return nil
}

// lines describe a key for people.
func (k keyRow) lines(quick bool) []string {
	lines := []string{strings.Join(slices.DeleteFunc([]string{string(k.KeyID), string(k.Role), k.Streams, string(k.EntryAlgorithm), k.state()},
		func(s string) bool { return s == "" }), "  ")}
	if k.State == archive.KeyNotBelieved {
		return append(lines, k.Error)
	}
	lines = append(lines, k.times(quick))
	switch {
	case k.Role == keys.RoleOnline:
		return append(lines, "signed "+count(k.Records, "key record"))
	case quick:
		return lines
	}
	if k.Signed.Manifests+k.Signed.Segments == 0 {
		return append(lines, "signed nothing")
	}
	signed := fmt.Sprintf("signed %s and %s in %s", count(k.Signed.Manifests, "manifest"), count(k.Signed.Entries, "entry"), count(k.Signed.Streams, "stream"))
	if !k.Signed.First.IsZero() {
		signed += fmt.Sprintf(", archived %s to %s", stamp(k.Signed.First.Time), stamp(k.Signed.Last.Time))
	}
	return append(lines, signed)
}

func (k keyRow) state() string {
	state := string(k.State)
	if k.State == archive.KeyNotBelieved {
		state = "NOT BELIEVED"
	}
	if !k.Since.IsZero() && (k.State == archive.KeyRetired || k.State == archive.KeyCompromised) {
		state += " since " + k.Since.String()
	}
	if k.Current {
		state += ", current"
	}
	return state
}

// times says how old the key is, when it is to be replaced, and how its record is kept.
func (k keyRow) times(quick bool) string {
	var parts []string
	if !k.Published.IsZero() {
		parts = append(parts, fmt.Sprintf("published %s, %s old", dayOf(k.Published.Time), count(k.AgeDays, "day")))
	}
	switch {
	case k.OverdueDays > 0:
		parts = append(parts, "rotation overdue by "+count(k.OverdueDays, "day"))
	case !k.Rotation.IsZero():
		parts = append(parts, "next rotation "+dayOf(k.Rotation.Time))
	}
	if !k.RetainedUntil.IsZero() {
		parts = append(parts, "kept until "+dayOf(k.RetainedUntil.Time))
	}
	if !quick && !k.VouchesUntil.IsZero() {
		parts = append(parts, "needed until "+dayOf(k.VouchesUntil.Time))
	}
	return strings.Join(parts, ", ")
}

// stamp writes a time for people, to the second.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
