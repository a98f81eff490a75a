package s3lock

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/wormlog/wormlog/archive"
)

// Versions lists every version and delete marker; see [archive.Store]. A server that returns keys out of order, or a page
// twice, or a page without its continuation, is an error: a verifier that believed it would miss versions.
//
// Within a key the order is that of S3's reply, newest first. A server that lists all versions of a page before all its
// delete markers has said nothing about their order; there it is by date, and the current one first.
func (s *Store) Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[archive.Version, error] {
	return func(yield func(archive.Version, error) bool) {
		l := &listing{store: s, call: s.start("list the versions under", prefix, ""), prefix: s.full(prefix)}
		if startAfter != "" {
			l.keyMarker, l.after = s.full(startAfter), s.full(startAfter)
		}
		for more := true; more; {
			var page []archive.Version
			var err error
			if page, more, err = l.next(ctx); err != nil {
				yield(archive.Version{}, err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// listing is one walk through the pages.
type listing struct {
	store  *Store
	call   *call
	prefix string // in the bucket
	after  string // only keys behind it

	keyMarker, versionMarker string
	lastKey                  string
	seen                     map[string]bool // version IDs of lastKey
}

func (l *listing) next(ctx context.Context) (page []archive.Version, more bool, err error) {
	var order []byte
	out, err := l.store.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{
		Bucket: &l.store.home.Bucket, Prefix: optional(l.prefix), EncodingType: types.EncodingTypeUrl, // any key fits into XML then
		KeyMarker: optional(l.keyMarker), VersionIdMarker: optional(l.versionMarker),
	}, l.call.noting, capturing(&order))
	if err != nil {
		return nil, false, l.call.wrap(ctx, err)
	}
	if page, err = l.entries(out, order); err != nil {
		return nil, false, l.broken(err)
	}
	if page, err = l.check(page); err != nil {
		return nil, false, l.broken(err)
	}
	more, err = l.advance(out)
	if err != nil {
		return nil, false, l.broken(err)
	}
	return page, more, nil
}

func (l *listing) broken(err error) error {
	return l.call.fail(archive.ErrUncertain, err.Error(), "nothing can be concluded from this server's listing")
}

// entries merges the two lists that the SDK makes of a page. order has one byte for each entry of the page, in the order
// of the reply: 'V' for a version, 'M' for a marker.
func (l *listing) entries(out *s3.ListObjectVersionsOutput, order []byte) ([]archive.Version, error) {
	if bytes.Count(order, []byte("V")) != len(out.Versions) || bytes.Count(order, []byte("M")) != len(out.DeleteMarkers) {
		return nil, fmt.Errorf("a page has %d entries, of which %d versions and %d delete markers were understood",
			len(order), len(out.Versions), len(out.DeleteMarkers))
	}
	page := make([]archive.Version, 0, len(order))
	versions, markers := out.Versions, out.DeleteMarkers
	for _, kind := range order {
		var v archive.Version
		if kind == 'V' {
			v, versions = version(versions[0]), versions[1:]
		} else {
			v, markers = marker(markers[0]), markers[1:]
		}
		if out.EncodingType == types.EncodingTypeUrl {
			key, err := url.QueryUnescape(v.Key)
			if err != nil {
				return nil, fmt.Errorf("the key %q is not URL-encoded as announced", v.Key)
			}
			v.Key = key
		}
		page = append(page, v)
	}
	if inTwoLists(order) {
		n := bytes.LastIndexByte(order, order[0]) + 1 // where the first list ends
		if !slices.IsSortedFunc(page[:n], byKey) || !slices.IsSortedFunc(page[n:], byKey) {
			return nil, errors.New("the keys of a page are not in order")
		}
		slices.SortStableFunc(page, newestFirst)
	}
	return page, nil
}

func version(v types.ObjectVersion) archive.Version {
	return archive.Version{
		Key: aws.ToString(v.Key), VersionID: aws.ToString(v.VersionId), IsLatest: aws.ToBool(v.IsLatest),
		Size: aws.ToInt64(v.Size), LastModified: aws.ToTime(v.LastModified).UTC(),
	}
}

func marker(m types.DeleteMarkerEntry) archive.Version {
	return archive.Version{
		Key: aws.ToString(m.Key), VersionID: aws.ToString(m.VersionId), IsLatest: aws.ToBool(m.IsLatest),
		DeleteMarker: true, LastModified: aws.ToTime(m.LastModified).UTC(),
	}
}

// inTwoLists says that all versions come before all markers, or the other way round.
func inTwoLists(order []byte) bool {
	firstV, lastV := bytes.IndexByte(order, 'V'), bytes.LastIndexByte(order, 'V')
	firstM, lastM := bytes.IndexByte(order, 'M'), bytes.LastIndexByte(order, 'M')
	return firstV >= 0 && firstM >= 0 && (lastV < firstM || lastM < firstV)
}

func byKey(a, b archive.Version) int { return strings.Compare(a.Key, b.Key) }

func newestFirst(a, b archive.Version) int {
	current := func(v archive.Version) int {
		if v.IsLatest {
			return 0
		}
		return 1
	}
	return cmp.Or(byKey(a, b), cmp.Compare(current(a), current(b)), b.LastModified.Compare(a.LastModified))
}

// check holds a page against those before it, and makes its keys relative.
func (l *listing) check(page []archive.Version) ([]archive.Version, error) {
	kept := page[:0]
	for i, v := range page {
		switch {
		case i == 0 && v.Key == l.keyMarker && v.VersionID == l.versionMarker && l.seen[v.VersionID]:
			continue // some servers begin a page at the marker, S3 behind it
		case !strings.HasPrefix(v.Key, l.prefix):
			return nil, fmt.Errorf("the key %q was not asked for", v.Key)
		case v.Key < l.lastKey || v.Key < l.after:
			return nil, fmt.Errorf("the key %q comes after %q", v.Key, max(l.lastKey, l.after))
		case v.Key == l.after:
			continue // likewise
		case v.Key != l.lastKey:
			l.lastKey, l.seen = v.Key, map[string]bool{}
		}
		switch {
		case l.seen[v.VersionID]:
			return nil, fmt.Errorf("version %s of %q is listed twice", v.VersionID, v.Key)
		case v.IsLatest && len(l.seen) > 0:
			return nil, fmt.Errorf("the current version of %q comes after an older one", v.Key)
		}
		l.seen[v.VersionID] = true
		v.Key = l.store.relative(v.Key)
		kept = append(kept, v)
	}
	return kept, nil
}

func (s *Store) relative(full string) string {
	if s.home.Prefix == "" {
		return full
	}
	return strings.TrimPrefix(full, s.home.Prefix+"/")
}

// advance takes the continuation over, unchanged but for the encoding.
func (l *listing) advance(out *s3.ListObjectVersionsOutput) (more bool, err error) {
	if !aws.ToBool(out.IsTruncated) {
		return false, nil
	}
	key, id := aws.ToString(out.NextKeyMarker), aws.ToString(out.NextVersionIdMarker)
	if out.EncodingType == types.EncodingTypeUrl {
		if key, err = url.QueryUnescape(key); err != nil {
			return false, errors.New("the marker of the next page is not URL-encoded as announced")
		}
	}
	switch {
	case key == "":
		return false, errors.New("a page is said to be continued, but not where")
	case key < l.keyMarker || key == l.keyMarker && (id == l.versionMarker || id == ""):
		return false, fmt.Errorf("the page behind %q leads back to %q", l.keyMarker, key)
	case key < l.lastKey:
		return false, fmt.Errorf("the page that ends in %q is continued at %q", l.lastKey, key)
	}
	l.keyMarker, l.versionMarker = key, id
	return true, nil
}

// capturing notes in what order a listing has its versions and markers, which the SDK's two lists do not tell.
func capturing(order *[]byte) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("wormlogListOrder",
				func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
					middleware.DeserializeOutput, middleware.Metadata, error,
				) {
					out, metadata, err := next.HandleDeserialize(ctx, in)
					reply, ok := out.RawResponse.(*smithyhttp.Response)
					if err != nil || !ok || reply.StatusCode != http.StatusOK {
						return out, metadata, err
					}
					body, err := io.ReadAll(io.LimitReader(reply.Body, maxPage))
					reply.Body.Close()
					reply.Body = io.NopCloser(bytes.NewReader(body))
					*order = listOrder(body)
					return out, metadata, err
				}), middleware.After)
		})
	}
}

// maxPage is far more than the 1,000 entries of a page can take.
const maxPage = 64 << 20

// listOrder scans a page for the elements of its entries. Text cannot be mistaken for them: there "<" is escaped.
func listOrder(page []byte) []byte {
	var order []byte
	for {
		i := bytes.IndexByte(page, '<')
		if i < 0 {
			return order
		}
		page = page[i+1:]
		switch {
		case isElement(page, "Version"):
			order = append(order, 'V')
		case isElement(page, "DeleteMarker"):
			order = append(order, 'M')
		}
	}
}

func isElement(tag []byte, name string) bool {
	rest, ok := bytes.CutPrefix(tag, []byte(name))
	return ok && len(rest) > 0 && bytes.IndexByte([]byte("> \t\r\n/"), rest[0]) >= 0
}
