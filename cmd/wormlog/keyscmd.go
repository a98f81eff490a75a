package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/keys"
)

func (a *app) keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "keys",
		Short:   "See the keys of a log",
		Example: "  wormlog keys list",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the key records in the archive, and which of them the signing secret holds",
		Long: "List the key records in the archive: what each key may sign, when it was published by S3's date, until when its record\n" +
			"is retained, and whether an authority of this log signed the record. The key that the signing secret holds now is\n" +
			"marked as current; to know it, the command reads the secret's key ID. Exit status 1: a record is not to be believed.",
		Example: "  wormlog keys list\n  wormlog keys list --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.open(c)
			if err != nil {
				return err
			}
			return s.listKeys(c.Context())
		},
	}
	config.AddFlags(list.Flags(), config.GroupBucket)
	for _, name := range []string{"writer", "signing_secret", "signing_key_env"} {
		config.AddFlag(list.Flags(), name)
	}
	c.AddCommand(list, a.keysCurrentCommand(), a.retireCommand(), a.compromiseCommand())
	return c
}

// keyRow is a key record as it is listed.
type keyRow struct {
	ID            keys.ID           `json:"key_id"`
	Role          keys.Role         `json:"role"`
	Streams       string            `json:"streams"`
	Algorithm     keys.Algorithm    `json:"entry_algorithm"`
	Created       time.Time         `json:"created"`
	RetainedUntil time.Time         `json:"retained_until,omitzero"`
	Current       bool              `json:"current"`
	Source        map[string]string `json:"source"`
	Error         string            `json:"error,omitempty"` // why it is not to be believed
}

type keyList struct {
	LogID       keys.LogID    `json:"log_id"`
	Authorities []authorityID `json:"authorities"`
	Keys        []keyRow      `json:"keys"`
	Current     string        `json:"current"` // the key of the signing secret, or why it is not known
}

type authorityID struct {
	Name string  `json:"name"`
	ID   keys.ID `json:"key_id"`
}

func (s *session) listKeys(ctx context.Context) error {
	l, err := s.openLog(ctx)
	if err != nil {
		return err
	}
	list := keyList{LogID: l.ID, Keys: []keyRow{}}
	for _, a := range l.Authorities {
		list.Authorities = append(list.Authorities, authorityID{a.Name, a.ID()})
	}
	current, err := s.currentKey(ctx, l.Origin)
	list.Current = string(current)
	if err != nil {
		list.Current = "not known: " + err.Error()
	}
	wrong := 0
	for v, err := range s.store.Versions(ctx, "keys/", "") {
		if err != nil {
			return err
		}
		row, ok := s.keyRow(ctx, l, v)
		if !ok {
			continue
		}
		row.Current = row.ID == current && row.Error == ""
		if row.Error != "" {
			wrong++
		}
		list.Keys = append(list.Keys, row)
	}
	if err := s.printKeys(list); err != nil {
		return err
	}
	if wrong > 0 {
		return exit(exitNo, withHint(fmt.Errorf("%s cannot be believed", count(wrong, "key record")), "`wormlog verify` says what that means for the evidence"))
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

// keyRow reads one version of a key record; delete markers are verify's business.
func (s *session) keyRow(ctx context.Context, l *archive.Log, v archive.Version) (row keyRow, ok bool) {
	id, found := strings.CutSuffix(strings.TrimPrefix(v.Key, "keys/"), ".json")
	if !found || v.DeleteMarker || keys.ID(id).Valid() != nil {
		return row, false
	}
	row = keyRow{ID: keys.ID(id), Created: v.LastModified}
	b, o, err := s.store.Get(ctx, v.Key, v.VersionID, keys.MaxRecord)
	if err != nil {
		row.Error = err.Error()
		return row, true
	}
	row.RetainedUntil = o.Lock.RetainUntil
	r, err := l.ParseRecord(row.ID, b)
	row.Role, row.Streams, row.Algorithm, row.Source = r.Role, r.Streams, r.EntryAlgorithm, r.Source
	if err != nil {
		row.Error = err.Error()
	}
	return row, true
}

func (s *session) printKeys(list keyList) error {
	if s.json {
		return printJSON(s.stdout, list)
	}
	fmt.Fprintf(s.stdout, "Log %s\n", list.LogID)
	for _, a := range list.Authorities {
		fmt.Fprintf(s.stdout, "Authority %s: key %s\n", a.Name, a.ID)
	}
	rows := [][]string{{"KEY", "ROLE", "STREAMS", "ENTRIES BY", "PUBLISHED", "RETAINED UNTIL", ""}}
	for _, k := range list.Keys {
		mark := ""
		switch {
		case k.Error != "":
			mark = "NOT BELIEVED: " + k.Error
		case k.Current:
			mark = "current"
		}
		rows = append(rows, []string{string(k.ID), string(k.Role), k.Streams, string(k.Algorithm), stamp(k.Created), stamp(k.RetainedUntil), mark})
	}
	if err := printTable(s.stdout, rows); err != nil {
		return err
	}
	if strings.HasPrefix(list.Current, "not known") {
		fmt.Fprintln(s.stdout, visible("Which key is current is "+list.Current))
	}
	return nil
}

// stamp writes a time for people, to the second.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
