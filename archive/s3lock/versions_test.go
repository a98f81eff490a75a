package s3lock_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
)

// page is a listing reply. An entry is "key version", with " marker" and " latest" behind it; seconds count down.
func page(entries []string, next string, encoding string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><VersionIdMarker></VersionIdMarker>`)
	if encoding != "" {
		fmt.Fprintf(&b, "<EncodingType>%s</EncodingType>", encoding)
	}
	if key, id, ok := strings.Cut(next, " "); ok {
		fmt.Fprintf(&b, "<IsTruncated>true</IsTruncated><NextKeyMarker>%s</NextKeyMarker><NextVersionIdMarker>%s</NextVersionIdMarker>", key, id)
	} else if next != "" {
		fmt.Fprintf(&b, "<IsTruncated>true</IsTruncated>")
	}
	for i, entry := range entries {
		fields := strings.Fields(entry)
		element := "Version"
		if slices.Contains(fields, "marker") {
			element = "DeleteMarker"
		}
		fmt.Fprintf(&b, "<%s><Key>%s</Key><VersionId>%s</VersionId><IsLatest>%v</IsLatest><LastModified>2026-11-22T17:26:%02d.000Z</LastModified></%s>",
			element, fields[0], fields[1], slices.Contains(fields, "latest"), 59-i, element)
	}
	b.WriteString("</ListVersionsResult>")
	return b.String()
}

// listing serves pages by their markers and returns what Versions makes of them.
func listing(t *testing.T, pages map[string]string, prefix, startAfter string) ([]string, error) {
	t.Helper()
	s := replying(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		marker := strings.TrimSpace(q.Get("key-marker") + " " + q.Get("version-id-marker"))
		reply, ok := pages[marker]
		if !ok {
			t.Errorf("asked for the page behind %q", marker)
		}
		io.WriteString(w, reply)
	})
	var got []string
	for v, err := range s.Versions(t.Context(), prefix, startAfter) {
		if err != nil {
			return got, err
		}
		got = append(got, v.Key+" "+v.VersionID)
	}
	return got, nil
}

func TestVersionsOrder(t *testing.T) {
	for name, test := range map[string]struct {
		pages map[string]string
		want  []string
	}{
		"interleaved, in the order of the reply": {
			map[string]string{"": page([]string{"logs/a v3 latest", "logs/a m2 marker", "logs/a v1", "logs/b m1 marker latest"}, "", "")},
			[]string{"a v3", "a m2", "a v1", "b m1"},
		},
		"interleaved, dates of one second do not matter": {
			map[string]string{"": strings.ReplaceAll(page([]string{"logs/a m3 marker latest", "logs/a v2", "logs/a m1 marker"}, "", ""), ":58.", ":59.")},
			[]string{"a m3", "a v2", "a m1"},
		},
		"versions before markers, by date": {
			map[string]string{"": page([]string{"logs/a v3", "logs/a v1", "logs/b v1 latest", "logs/a m9 marker latest"}, "", "")},
			[]string{"a m9", "a v3", "a v1", "b v1"},
		},
		"markers before versions, by date": {
			map[string]string{"": page([]string{"logs/b m9 marker latest", "logs/a v3 latest", "logs/b v1"}, "", "")},
			[]string{"a v3", "b m9", "b v1"},
		},
		"a key over pages": {
			map[string]string{
				"":          page([]string{"logs/a v3 latest", "logs/a v2"}, "logs/a v2", ""),
				"logs/a v2": page([]string{"logs/a v1", "logs/b v1 latest"}, "", ""),
			},
			[]string{"a v3", "a v2", "a v1", "b v1"},
		},
		"an empty page in between": {
			map[string]string{
				"":          page([]string{"logs/a v3 latest"}, "logs/b v2", ""),
				"logs/b v2": page(nil, "logs/c v2", ""),
				"logs/c v2": page([]string{"logs/d v1 latest"}, "", ""),
			},
			[]string{"a v3", "d v1"},
		},
		"a page that begins at its marker": {
			map[string]string{
				"":          page([]string{"logs/a v3 latest"}, "logs/a v3", ""),
				"logs/a v3": page([]string{"logs/a v3 latest", "logs/b v1 latest"}, "", ""),
			},
			[]string{"a v3", "b v1"},
		},
		"encoded keys": {
			map[string]string{
				"":                 page([]string{"logs/a%3Db%2B v1 latest"}, "logs/a%3Db%2B v1", "url"),
				"logs/a=b+ v1":     page([]string{"logs/x%01y+z v1 latest"}, "logs/x%01y+z v1", "url"),
				"logs/x\x01y z v1": page([]string{"logs/z%C3%BC v1 latest"}, "", "url"),
			},
			[]string{"a=b+ v1", "x\x01y z v1", "zü v1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := listing(t, test.pages, "", "")
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%q, %v\nwant %q", got, err, test.want)
			}
		})
	}
}

func TestVersionsRefusesToBelieve(t *testing.T) {
	for name, test := range map[string]struct {
		pages map[string]string
		says  string
	}{
		"keys out of order": {
			map[string]string{"": page([]string{"logs/b v1 latest", "logs/a v1 latest"}, "", "")}, "comes after"},
		"keys out of order, interleaved": {
			map[string]string{"": page([]string{"logs/a v1 latest", "logs/c m1 marker latest", "logs/b v1 latest"}, "", "")}, "comes after"},
		"keys out of order in one of two lists": {
			map[string]string{"": page([]string{"logs/b v1 latest", "logs/a v1 latest", "logs/c m1 marker latest"}, "", "")}, "not in order"},
		"keys out of order over pages": {
			map[string]string{
				"":          page([]string{"logs/b v1 latest"}, "logs/b v1", ""),
				"logs/b v1": page([]string{"logs/a v1 latest"}, "", "")}, "comes after"},
		"a page repeated": {
			map[string]string{
				"":          page([]string{"logs/a v2 latest", "logs/a v1"}, "logs/a v1", ""),
				"logs/a v1": page([]string{"logs/a v2 latest", "logs/a v1"}, "logs/b v1", "")}, "listed twice"},
		"the same continuation again": {
			map[string]string{
				"":          page([]string{"logs/a v2 latest"}, "logs/a v2", ""),
				"logs/a v2": page([]string{"logs/a v1"}, "logs/a v2", "")}, "leads back"},
		"a continuation backwards": {
			map[string]string{
				"":          page([]string{"logs/b v2 latest"}, "logs/c v2", ""),
				"logs/c v2": page([]string{"logs/d v1 latest"}, "logs/a v2", "")}, "leads back"},
		"a continuation before the page's end": {
			map[string]string{"": page([]string{"logs/b v2 latest"}, "logs/a v2", "")}, "continued at"},
		"a continuation without marker": {
			map[string]string{"": page([]string{"logs/b v2 latest"}, "nowhere", "")}, "not where"},
		"oldest first": {
			map[string]string{"": page([]string{"logs/a v1", "logs/a v2 latest"}, "", "")}, "after an older one"},
		"a key outside the prefix": {
			map[string]string{"": page([]string{"else/a v1 latest"}, "", "")}, "not asked for"},
		"a broken encoding": {
			map[string]string{"": page([]string{"logs/%zz v1 latest"}, "", "url")}, "not URL-encoded"},
		"no listing": {
			map[string]string{"": "<html><body>Welcome to the hotel's wireless"}, "no S3 reply"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := listing(t, test.pages, "", "")
			wants(t, err, archive.ErrUncertain, `list the versions under "logs/"`, test.says)
		})
	}
}

func TestVersionsStartAfter(t *testing.T) {
	pages := map[string]string{"logs/p/2": page([]string{"logs/p/2 v1 latest", "logs/p/3 v1 latest"}, "", "")}
	got, err := listing(t, pages, "p/", "p/2")
	if err != nil || !slices.Equal(got, []string{"p/3 v1"}) {
		t.Errorf("a server that begins at the marker: %q, %v", got, err)
	}
	pages["logs/p/2"] = page([]string{"logs/p/1 v1 latest", "logs/p/3 v1 latest"}, "", "")
	_, err = listing(t, pages, "p/", "p/2")
	wants(t, err, archive.ErrUncertain, "comes after")
}

func TestVersionsOfMisorderingServer(t *testing.T) {
	srv, url := startDev(t, devserver.Config{PageSize: 3})
	s := underTest(t, configFor(url))
	for _, key := range []string{"a", "b", "c", "d"} {
		create(t, s.Store, key, nil)
		if _, err := s.PutVersion(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, order := range []devserver.Misorder{devserver.PagesReversed, devserver.OldestFirst} {
		srv.Misorder(order)
		var last error
		for _, err := range s.Store.Versions(t.Context(), "", "") {
			last = err
		}
		wants(t, last, archive.ErrUncertain, "nothing can be concluded")
	}
}

func TestVersionsDenied(t *testing.T) {
	srv, url := startDev(t, devserver.Config{})
	s := open(t, configFor(url))
	srv.Deny("s3:ListBucketVersions", "")
	for _, err := range s.Versions(t.Context(), "", "") {
		wants(t, err, archive.ErrDenied)
	}
}
