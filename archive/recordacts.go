package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// TypedAct is an act with the type of its entry, one of the Act… constants.
type TypedAct struct {
	Type string
	Act  Act
}

// EntryID is the ID of the entry that [RecordActs] makes of the act. It follows from what the act says, so an act that is
// written again, because the first outcome was not known, can be told from another one.
func (a TypedAct) EntryID() (string, error) {
	data, err := FormatAct(a.Act)
	if err != nil {
		return "", fmt.Errorf("the act %s: %w", a.Type, err)
	}
	return actID(a.Type, data), nil
}

func actID(entryType string, data []byte) string {
	sum := sha256.Sum256(append([]byte(entryType+"\n"), data...))
	return "act-" + hex.EncodeToString(sum[:16])
}

// ActsConfig says where acts are written and by whom. Store, Log and Key are required.
type ActsConfig struct {
	Store Store
	Log   *Log
	// Key signs the acts. Its role is that of the acts, and its record is in the bucket.
	Key *keys.SigningKey
	// RetentionDays is how long the acts are kept; 0: as the log says. Within the log's policy, as for a [Writer].
	RetentionDays uint64
	// Software is what manifests say who wrote them; "wormlog" if empty.
	Software string
	// Now is the writer's clock; time.Now if nil.
	Now func() time.Time
	// Logger gets what a [Writer] tells; nil: none.
	Logger *slog.Logger
}

// RecordActs writes acts as entries of a new control stream of the key's role, in their order, and returns once all are
// archived and the stream is closed. It goes on trying until ctx ends, as a [Writer] does.
//
// Before anything is written it refuses an act that is malformed or of another role than the key ([ErrKey]). Errors
// otherwise are those of [OpenWriter] and of [Pending.Wait]: one that wraps [ErrUncertain] says that acts may be in the
// archive all the same. Then call it again: entries of the same acts have the same IDs ([TypedAct.EntryID]), and an act
// about a key, a head or a finding says no more twice than once. Of acts that undo each other (policies, holds, homes)
// the last one counts, so these are not to be repeated after others.
func RecordActs(ctx context.Context, c ActsConfig, acts ...TypedAct) error {
	if len(acts) == 0 {
		return nil
	}
	records, err := c.records(acts)
	if err != nil {
		return err
	}
	w, err := OpenWriter(ctx, WriterConfig{
		Store: c.Store, Log: c.Log, Writer: string(c.Key.Record().Role), Heartbeat: -1, RetentionDays: c.RetentionDays,
		Key:      func(context.Context) (*keys.SigningKey, error) { return c.Key, nil },
		Software: c.Software, Now: c.Now, Logger: c.Logger,
	})
	if err != nil {
		return fmt.Errorf("recording acts: %w", err)
	}
	pending, err := appendAll(ctx, w, records)
	closed := w.Close(ctx) // archives what was accepted even if something was not: the caller repeats all of it
	for _, p := range pending {
		if _, notArchived := p.Wait(context.WithoutCancel(ctx)); notArchived != nil && err == nil {
			err = notArchived
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("recording acts: %w", err)
	case closed != nil:
		return fmt.Errorf("recording acts: all are archived, but their stream %s could not be closed: %w", w.Stream(), closed)
	}
	return nil
}

func appendAll(ctx context.Context, w *Writer, records []Record) (pending []Pending, err error) {
	for _, r := range records {
		p, err := w.Append(ctx, r)
		if err != nil {
			return pending, err
		}
		pending = append(pending, p)
	}
	return pending, nil
}

// records are the entries to be made of the acts.
func (c *ActsConfig) records(acts []TypedAct) (records []Record, err error) {
	if c.Store == nil || c.Log == nil || c.Key == nil {
		return nil, errors.New("recording acts needs a store, a log and a signing key")
	}
	role := c.Key.Record().Role
	for _, a := range acts {
		switch of := actRoles[a.Type]; {
		case of == "":
			return nil, fmt.Errorf("the type %q is no act", a.Type)
		case of != role:
			return nil, fmt.Errorf("%w: the act %s is for a key of role %s, and key %s has the role %s", ErrKey, a.Type, of, c.Key.ID(), role)
		}
		data, err := FormatAct(a.Act)
		if err == nil {
			_, err = ParseAct(role, a.Type, data) // a type with the data of another one
		}
		if err != nil {
			return nil, fmt.Errorf("the act %s: %w", a.Type, err)
		}
		records = append(records, Record{ID: actID(a.Type, data), Type: a.Type, Data: data})
	}
	return records, nil
}
