package archive_test

import (
	"context"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// during is a store to which something happens while it is verified: before the first listing that begins with prefix, or
// when a listing comes to a key that contains at.
type during struct {
	archive.Store
	prefix, at string
	happen     func()
}

func (d *during) Versions(ctx context.Context, prefix, after string) iter.Seq2[archive.Version, error] {
	return func(yield func(archive.Version, error) bool) {
		if d.at == "" && strings.HasPrefix(prefix, d.prefix) {
			d.once()
		}
		d.Store.Versions(ctx, prefix, after)(func(v archive.Version, err error) bool {
			if d.at != "" && strings.Contains(v.Key, d.at) {
				d.once()
			}
			return yield(v, err)
		})
	}
}

func (d *during) once() {
	if happen := d.happen; happen != nil {
		d.happen = nil
		happen()
	}
}

// A writer whose key was published when the keys had been read already.
func TestKeyPublishedWhileVerifying(t *testing.T) {
	s := newSite(t)
	s.write("app", s.key)
	d := &during{Store: s.mem, prefix: "manifests/", happen: func() {
		s.write("new", s.newKey(keys.RoleWriter, "new.*", keys.AlgorithmEd25519))
	}}
	r := must(archive.Verify(t.Context(), archive.VerifyConfig{Store: d, LogID: s.log.ID}))(t)
	if r.Verdict != archive.Intact {
		t.Error(r, r.Findings)
	}
}

func (s *site) write(writer string, key *keys.SigningKey) {
	w := s.open(func(c *archive.WriterConfig) {
		c.Writer, c.Key = writer, func(context.Context) (*keys.SigningKey, error) { return key, nil }
	})
	s.add(w, writer, 1)
	s.close(w)
}

// A stream that ends, and the one that continues it, while the listing is between the two.
func TestStreamContinuedWhileVerifying(t *testing.T) {
	a := attack(t)
	b, c := a.Streams[archivetest.PaymentsB], a.Streams[archivetest.PaymentsC]
	var later []archivetest.RawVersion
	for o := range a.store.raw.All() {
		if o.Key == b.Manifests[1].Key || o.Key == b.Manifests[1].Segments[0].Ref.Key || strings.Contains(o.Key, c.Name.String()) {
			o.LastModified = archiveNow().Add(time.Second)
			later = append(later, o)
			if err := a.store.raw.DeleteVersion(o.Key, o.VersionID); err != nil {
				t.Fatal(err)
			}
		}
	}
	between := b.Name.ManifestPrefix() + "between"
	must(a.store.raw.PutVersion(between, nil, archive.Lock{}, archiveNow()))(t)
	a.store.Store.(*archivetest.Memory).SetPageSize(1)
	a.store.Store = &during{Store: a.store.Store, at: between, happen: func() {
		for _, o := range later {
			must(a.store.raw.InsertVersion(o, archivetest.Newest))(t)
		}
	}}
	a.expect(a.verify(nil), archive.Intact)
}
