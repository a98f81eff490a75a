package archive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// copiesOf are a site's verification copies.
type copiesOf struct{ *site }

func (c copiesOf) EntryKey(_ context.Context, id keys.ID) (*keys.VerificationCopy, error) {
	if v := c.copies[id]; v != nil {
		return v, nil
	}
	return nil, keys.ErrNoVerificationCopy
}

func (s *site) reader(change ...func(*archive.ReaderConfig)) *archive.Reader {
	s.t.Helper()
	c := archive.ReaderConfig{Store: s.mem, LogID: s.log.ID, Copies: copiesOf{s}}
	for _, f := range change {
		f(&c)
	}
	return must(archive.OpenReader(s.t.Context(), c))(s.t)
}

// read returns the IDs of all entries and the codes of all findings.
func (s *site) read(r *archive.Reader) (ids []string, codes []archive.Code) {
	s.t.Helper()
	for l, err := range r.Entries(s.t.Context()) {
		var f *archive.FindingError
		switch {
		case errors.As(err, &f):
			codes = append(codes, f.Finding.Code)
		case err != nil:
			s.t.Fatal(err)
		default:
			ids = append(ids, string(l.ID))
		}
	}
	return ids, codes
}

// written is a site with 100 entries in segments of 10, in one stream.
func written(t *testing.T) (s *site, ids []string, segments []archive.SegmentInfo) {
	s = newSite(t)
	w := s.open(smallBatches(10))
	for i := range 4 { // several manifests, however fast they are written
		more, _ := s.add(w, fmt.Sprintf("e%d", i), []int{20, 20, 30, 30}[i])
		ids = append(ids, more...)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.close(w)
	for info, err := range s.reader().Segments(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		segments = append(segments, info)
	}
	return s, ids, segments
}

func TestReaderReturnsEverythingInOrder(t *testing.T) {
	s, ids, segments := written(t)
	r := s.reader()
	got, codes := s.read(r)
	if !slices.Equal(got, ids) || len(codes) > 0 {
		t.Errorf("Entries() = %d entries, findings %v; want the %d written, in order, and none", len(got), codes, len(ids))
	}
	if r.HMAC() != archive.HMACChecked {
		t.Errorf("HMAC() = %s, want checked", r.HMAC())
	}
	if len(segments) != 10 {
		t.Fatalf("Segments() = %d, want 10", len(segments))
	}
	for i, info := range segments {
		if info.Manifest.FirstIndex != uint64(10*i) || len(info.Findings) > 0 || info.Object.Lock.Mode != archive.Compliance || info.Object.Lock.RetainUntil.Before(info.Promise) {
			t.Errorf("segment %d = %+v", i, info)
		}
	}
}

func TestReaderSaysThatHMACsWereNotChecked(t *testing.T) {
	s, ids, _ := written(t)
	r := s.reader(func(c *archive.ReaderConfig) { c.Copies = nil })
	if got, codes := s.read(r); len(got) != len(ids) || len(codes) > 0 || r.HMAC() != archive.HMACUnchecked {
		t.Errorf("%d entries, findings %v, HMAC %s; want all %d, none, unchecked", len(got), codes, r.HMAC(), len(ids))
	}
}

func TestReaderRanges(t *testing.T) {
	s, ids, segments := written(t)
	other := s.open(smallBatches(10), func(c *archive.WriterConfig) { c.Writer = "app" })
	more, _ := s.add(other, "f", 5)
	s.close(other)
	split := segments[5].Manifest.FirstTimestamp.Time
	for name, test := range map[string]struct {
		change func(*archive.ReaderConfig)
		want   []string
	}{
		"index": {func(c *archive.ReaderConfig) {
			c.Streams, c.FirstIndex, c.EndIndex = []string{segments[0].Stream}, 7, 12
		}, ids[7:12]},
		"stream":      {func(c *archive.ReaderConfig) { c.Streams = []string{segments[0].Stream} }, ids},
		"pattern":     {func(c *archive.ReaderConfig) { c.Streams = []string{"app.*"} }, slices.Concat(ids, more)},
		"no stream":   {func(c *archive.ReaderConfig) { c.Streams = []string{"other.*"} }, nil},
		"time, empty": {func(c *archive.ReaderConfig) { c.To = split.Add(-time.Hour) }, nil},
		"time, from":  {func(c *archive.ReaderConfig) { c.From = split.Add(time.Hour) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got, codes := s.read(s.reader(test.change)); !slices.Equal(got, test.want) || len(codes) > 0 {
				t.Errorf("got %v, findings %v; want %v", got, codes, test.want)
			}
		})
	}
}

func TestReaderKeepsBackAlteredSegments(t *testing.T) {
	s, ids, segments := written(t)
	ref := segments[3].Manifest
	b, _, err := s.mem.Get(t.Context(), ref.Key, ref.VersionID, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for name, fix := range map[string]bool{"with a checksum to match": true, "with the old checksum": false} {
		t.Run(name, func(t *testing.T) {
			altered := slices.Clone(b)
			altered[len(altered)-1] ^= 1 // of zstd's own checksum
			if err := s.mem.Raw().ReplaceBody(ref.Key, ref.VersionID, altered, fix); err != nil {
				t.Fatal(err)
			}
			want := slices.Concat(ids[:30], ids[40:])
			if got, codes := s.read(s.reader()); !slices.Equal(got, want) || len(codes) == 0 {
				t.Errorf("got %d entries, findings %v; want all but those of the altered segment, and one", len(got), codes)
			}
		})
	}
}

func TestReaderHandsOutWhatFailsOnlyWhenAsked(t *testing.T) {
	s, ids, segments := written(t)
	key := s.key
	s.key = s.newKey(keys.RoleWriter, "app.*", keys.AlgorithmHMACSHA256)
	_ = key
	// A copy that is not the key's own makes every HMAC fail to be checkable, and the reader says so.
	s.copies[key.ID()] = s.copies[s.key.ID()]
	got, codes := s.read(s.reader())
	if len(got) != len(ids) || !slices.Contains(codes, archive.CodeHMACUnchecked) {
		t.Errorf("%d entries, findings %v; want all %d, and hmac-unchecked", len(got), codes, len(ids))
	}
	// Without its record nothing of the stream is believed.
	if err := s.mem.Raw().RemoveKey(archive.RecordKey(key.ID())); err != nil {
		t.Fatal(err)
	}
	if got, codes := s.read(s.reader()); len(got) > 0 || len(codes) == 0 {
		t.Errorf("%d entries, findings %v; want none and at least one", len(got), codes)
	}
	got, codes = s.read(s.reader(func(c *archive.ReaderConfig) { c.Unverified = true }))
	if len(codes) == 0 {
		t.Errorf("Unverified: no finding, of %d entries", len(got))
	}
	_ = segments
}

func TestReaderGoesOnBehindAMissingManifest(t *testing.T) {
	s, ids, segments := written(t)
	name, err := archive.ParseStreamName(segments[0].Stream)
	if err != nil {
		t.Fatal(err)
	}
	keysOf := func() (n int) {
		for range s.mem.Versions(t.Context(), name.ManifestPrefix(), "") {
			n++
		}
		return n
	}
	if keysOf() < 3 {
		t.Fatalf("only %d manifests", keysOf())
	}
	if err := s.mem.Raw().RemoveKey(name.ManifestKey(1)); err != nil {
		t.Fatal(err)
	}
	got, codes := s.read(s.reader())
	if len(got) >= len(ids) || !slices.Contains(codes, archive.CodeManifestMissing) || !slices.Contains(got, ids[len(ids)-1]) {
		t.Errorf("%d entries, findings %v; want fewer than %d with the last, and manifest-missing", len(got), codes, len(ids))
	}
}

func TestReaderStopsWhenAsked(t *testing.T) {
	s, _, _ := written(t)
	n := 0
	for _, err := range s.reader().Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 15 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range s.reader().Entries(ctx) {
		last = err
	}
	if n != 15 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d entries, then %v; want 15, then context.Canceled", n, last)
	}
}

func TestReaderNeedsALog(t *testing.T) {
	s := newSite(t)
	_, err := archive.OpenReader(t.Context(), archive.ReaderConfig{Store: s.mem, LogID: keys.LogID(strings.Repeat("0", 64))})
	var f *archive.FindingError
	if !errors.As(err, &f) || f.Finding.Code != archive.CodeGenesisAltered {
		t.Errorf("another log ID: %v, want genesis-altered", err)
	}
	if err := s.mem.Raw().RemoveKey(archive.GenesisKey); err != nil {
		t.Fatal(err)
	}
	for _, key := range []keys.ID{s.key.ID()} {
		if err := s.mem.Raw().RemoveKey(archive.RecordKey(key)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := archive.OpenReader(t.Context(), archive.ReaderConfig{Store: s.mem}); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("an empty bucket: %v, want ErrNotFound", err)
	}
}

func ExampleReader() {
	var store archive.Store // such as s3lock.Open returns
	_ = func(ctx context.Context) error {
		r, err := archive.OpenReader(ctx, archive.ReaderConfig{Store: store, Streams: []string{"payments.*"}})
		if err != nil {
			return err
		}
		for line, err := range r.Entries(ctx) {
			if err != nil {
				return err // a FindingError: what is altered is not handed out
			}
			fmt.Printf("%s\n", line.Data)
		}
		return nil
	}
}
