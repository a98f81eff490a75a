package devserver_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/wormlog/wormlog/archive/devserver"
)

// page is one page of ListObjectVersions, in words.
func (f *fixture) page(t *testing.T, in *s3.ListObjectVersionsInput) (*s3.ListObjectVersionsOutput, []string) {
	t.Helper()
	in.Bucket = aws.String(bucket)
	out, err := f.s3.ListObjectVersions(t.Context(), in)
	failsWith(t, err, 0, "")
	var names []string
	for _, v := range out.Versions {
		names = append(names, *v.Key+" "+*v.VersionId)
	}
	for _, m := range out.DeleteMarkers {
		names = append(names, *m.Key+" "+*m.VersionId)
	}
	for _, p := range out.CommonPrefixes {
		names = append(names, *p.Prefix)
	}
	return out, names
}

func TestVersionsNewestFirst(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.mustPut(t, "b")
	var ids []string
	for range 3 {
		ids = append([]string{"a " + f.mustPut(t, "a")}, ids...) // all in the same second
	}
	out, names := f.page(t, &s3.ListObjectVersionsInput{Prefix: aws.String("a")})
	if !slices.Equal(names, ids) {
		t.Fatalf("listed %v, want %v", names, ids)
	}
	for i, v := range out.Versions {
		if *v.IsLatest != (i == 0) || !v.LastModified.Equal(start) || v.ChecksumAlgorithm[0] != types.ChecksumAlgorithmSha256 {
			t.Errorf("%+v", v)
		}
	}
}

func TestVersionPaging(t *testing.T) {
	for size := int32(1); size <= 8; size++ {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			f := serve(t, devserver.Config{})
			var want []string
			for _, key := range []string{"p/a", "p/b", "p/b/c"} {
				first := f.mustPut(t, key)
				marker, err := f.remove(t, key, "", false)
				failsWith(t, err, 0, "")
				last := f.mustPut(t, key)
				want = append(want, key+" "+last, key+" "+*marker.VersionId, key+" "+first)
			}
			f.mustPut(t, "q")
			var got []string
			in := &s3.ListObjectVersionsInput{Prefix: aws.String("p/"), MaxKeys: &size}
			for {
				out, names := f.page(t, in)
				if len(names) > int(size) {
					t.Fatalf("%d entries on a page of %d", len(names), size)
				}
				got = append(got, names...)
				if !*out.IsTruncated {
					break
				}
				in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
			}
			slices.Sort(got) // the SDK parts versions and markers of a page
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("listed\n%v, want\n%v", got, want)
			}
		})
	}
}

func TestVersionGroups(t *testing.T) {
	f := serve(t, devserver.Config{})
	for _, key := range []string{"a/1", "a/2", "b", "c/1", "c/2", "c/3", "d"} {
		f.mustPut(t, key)
	}
	for size := int32(1); size <= 5; size++ {
		var got []string
		in := &s3.ListObjectVersionsInput{Delimiter: aws.String("/"), MaxKeys: &size}
		for {
			out, names := f.page(t, in)
			for _, name := range names {
				got = append(got, name[:1])
			}
			if !*out.IsTruncated {
				break
			}
			in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"a", "b", "c", "d"}) {
			t.Errorf("pages of %d: %v", size, got)
		}
	}
}

func TestListingParameters(t *testing.T) {
	f := serve(t, devserver.Config{PageSize: 2})
	for _, key := range []string{"a", "b", "c"} {
		f.mustPut(t, key)
	}
	for query, code := range map[string]string{
		"versions&version-id-marker=x":    "InvalidArgument",
		"versions&max-keys=-1":            "InvalidArgument",
		"versions&max-keys=x":             "InvalidArgument",
		"versions&encoding-type=x":        "InvalidArgument",
		"list-type=2&continuation-token=": "InvalidArgument",
	} {
		reply, body := send(t, f.url, "GET", "/audit?"+query, nil, nil)
		refused(t, reply, body, 400, code)
	}
	reply, body := send(t, f.url, "GET", "/audit?list-type=1", nil, nil)
	refused(t, reply, body, 501, "NotImplemented")
	out, _ := f.page(t, &s3.ListObjectVersionsInput{MaxKeys: aws.Int32(0)})
	if *out.IsTruncated || len(out.Versions) != 0 {
		t.Errorf("%+v", out)
	}
	out, _ = f.page(t, &s3.ListObjectVersionsInput{MaxKeys: aws.Int32(5000)})
	if !*out.IsTruncated || len(out.Versions) != 2 {
		t.Errorf("PageSize is not kept: %+v", out)
	}
}

func TestURLEncodedListing(t *testing.T) {
	f := serve(t, devserver.Config{})
	f.mustPut(t, "a b+c/ü&<.txt")
	out, _ := f.page(t, &s3.ListObjectVersionsInput{EncodingType: types.EncodingTypeUrl})
	if got := *out.Versions[0].Key; got != "a+b%2Bc/%C3%BC%26%3C.txt" {
		t.Error(got)
	}
	out, _ = f.page(t, &s3.ListObjectVersionsInput{})
	if got := *out.Versions[0].Key; got != "a b+c/ü&<.txt" {
		t.Error(got)
	}
}

func TestObjectsListedOnceAndWithoutHidden(t *testing.T) {
	f := serve(t, devserver.Config{})
	for _, key := range []string{"a", "b", "b", "hidden", "x/1", "x/2", "y/hidden", "z"} {
		f.mustPut(t, key)
	}
	for _, key := range []string{"hidden", "y/hidden"} {
		_, err := f.remove(t, key, "", false)
		failsWith(t, err, 0, "")
	}
	for size := int32(1); size <= 7; size++ {
		for delimiter, want := range map[string][]string{"": {"a", "b", "x/1", "x/2", "z"}, "/": {"a", "b", "x/", "z"}} {
			var got []string
			pages := s3.NewListObjectsV2Paginator(f.s3, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), MaxKeys: &size, Delimiter: optional(delimiter)})
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				failsWith(t, err, 0, "")
				for _, object := range page.Contents {
					got = append(got, *object.Key)
				}
				for _, group := range page.CommonPrefixes {
					got = append(got, *group.Prefix)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d by %q: %v, want %v", size, delimiter, got, want)
			}
		}
	}
	out, err := f.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), StartAfter: aws.String("b"), Prefix: aws.String("x")})
	failsWith(t, err, 0, "")
	if *out.KeyCount != 2 {
		t.Errorf("%+v", out)
	}
}

func TestMisorder(t *testing.T) {
	f := serve(t, devserver.Config{})
	var ids []string
	for range 3 {
		ids = append(ids, "k "+f.mustPut(t, "k"))
		f.advance(time.Second)
	}
	f.Misorder(devserver.OldestFirst)
	var got []string
	in := &s3.ListObjectVersionsInput{MaxKeys: aws.Int32(2)}
	out, names := f.page(t, in)
	got = append(got, names...)
	in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	_, names = f.page(t, in)
	if got = append(got, names...); !slices.Equal(got, ids) {
		t.Errorf("oldest first: %v, want %v", got, ids)
	}
	f.Misorder(devserver.PagesReversed)
	if _, names = f.page(t, &s3.ListObjectVersionsInput{}); !slices.Equal(names, ids) {
		t.Errorf("page reversed: %v, want %v", names, ids)
	}
	f.Misorder(devserver.InOrder)
	slices.Reverse(ids)
	if _, names = f.page(t, &s3.ListObjectVersionsInput{}); !slices.Equal(names, ids) {
		t.Errorf("in order: %v, want %v", names, ids)
	}
}
