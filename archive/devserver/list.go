package devserver

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listDate is how S3 writes dates in listings: whole seconds, with the
// milliseconds that are always zero.
func listDate(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// listing is what the parameters of a listing ask for.
type listing struct {
	prefix    string
	delimiter string
	max       int
	encode    func(string) string
}

func (s *Server) parseListing(c *call) (*listing, error) {
	q := c.query
	l := &listing{prefix: q.Get("prefix"), delimiter: q.Get("delimiter"), max: s.config.PageSize}
	if q.Has("max-keys") && q.Get("max-keys") != "" {
		n, err := strconv.Atoi(q.Get("max-keys"))
		if err != nil || n < 0 {
			return nil, invalidArgument("Argument maxKeys must be an integer between 0 and 2147483647", "maxKeys", q.Get("max-keys"))
		}
		l.max = min(l.max, n)
	}
	switch q.Get("encoding-type") {
	case "":
		l.encode = func(s string) string { return s }
	case "url":
		l.encode = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
	default:
		return nil, invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", q.Get("encoding-type"))
	}
	return l, nil
}

// commonPrefix is the group that the key falls into by the delimiter, or "".
func (l *listing) commonPrefix(key string) string {
	if l.delimiter == "" {
		return ""
	}
	at := strings.Index(key[len(l.prefix):], l.delimiter)
	if at < 0 {
		return ""
	}
	return key[:len(l.prefix)+at+len(l.delimiter)]
}

// listed is one entry of a page: a version, or a common prefix.
type listed struct {
	v      *version
	latest bool
	group  string
}

// page collects the entries that follow the position, at most l.max, and says
// whether there are more. versions returns what is listed of a key, in order.
func (l *listing) page(b *bucket, after string, versions func(key string) []listed) (entries []listed, more bool) {
	if l.max == 0 {
		return nil, false
	}
	lastGroup := ""
	if l.delimiter != "" && l.commonPrefix(padded(after, l.prefix)) == after {
		lastGroup = after // the last page ended with this group
	}
	for _, key := range b.keysFrom(l.prefix, after) {
		group := l.commonPrefix(key)
		if group != "" && group == lastGroup {
			continue
		}
		found := versions(key)
		if len(found) == 0 {
			continue
		}
		if group != "" {
			found, lastGroup = []listed{{group: group}}, group
		}
		for _, entry := range found {
			if len(entries) == l.max {
				return entries, true
			}
			entries = append(entries, entry)
		}
	}
	return entries, false
}

// padded returns the key if it lies under the prefix, else the prefix.
func padded(key, prefix string) string {
	if strings.HasPrefix(key, prefix) {
		return key
	}
	return prefix
}

// commonPrefixElement is a group in the XML of a listing.
type commonPrefixElement struct{ Prefix string }

// owner is the same for everything.
type owner struct{ ID string }

// versionsResult is the reply of ListObjectVersions. Versions and markers stand
// in one order, each under its own name.
type versionsResult struct {
	XMLName             xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
	Name                string
	Prefix              string
	Delimiter           string `xml:",omitempty"`
	EncodingType        string `xml:",omitempty"`
	KeyMarker           string
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	IsTruncated         bool
	Entries             []versionElement
	CommonPrefixes      []commonPrefixElement
}

// versionElement is a Version or a DeleteMarker.
type versionElement struct {
	XMLName      xml.Name
	Key          string
	VersionID    string `xml:"VersionId"`
	IsLatest     bool
	LastModified string
	ETag         string   `xml:",omitempty"`
	Algorithms   []string `xml:"ChecksumAlgorithm"`
	ChecksumType string   `xml:",omitempty"`
	Size         *int64
	StorageClass string `xml:",omitempty"`
	Owner        owner
}

func (s *Server) listVersions(c *call) error {
	l, err := s.parseListing(c)
	if err != nil {
		return err
	}
	keyMarker, idMarker := c.query.Get("key-marker"), c.query.Get("version-id-marker")
	if idMarker != "" && keyMarker == "" {
		return invalidArgument("A version-id marker cannot be specified without a key marker.", "version-id-marker", idMarker)
	}
	order := s.control.listingOrder()
	reply := versionsResult{Name: c.bucket, Prefix: l.encode(l.prefix), Delimiter: l.encode(l.delimiter), MaxKeys: l.max,
		EncodingType: c.query.Get("encoding-type"), KeyMarker: l.encode(keyMarker), VersionIDMarker: idMarker}
	return s.bucketCall(c, func(b *bucket) error {
		entries, more := l.page(b, keyMarker, func(key string) []listed {
			return b.versionsAfter(key, keyMarker, idMarker, order)
		})
		reply.IsTruncated = more
		if more {
			reply.NextKeyMarker, reply.NextVersionIDMarker = entries[len(entries)-1].marker()
			reply.NextKeyMarker = l.encode(reply.NextKeyMarker)
		}
		if order == PagesReversed {
			slices.Reverse(entries)
		}
		for _, e := range entries {
			if e.group != "" {
				reply.CommonPrefixes = append(reply.CommonPrefixes, commonPrefixElement{l.encode(e.group)})
			} else {
				reply.Entries = append(reply.Entries, e.versionElement(l))
			}
		}
		return c.xml(http.StatusOK, reply)
	})
}

// versionsAfter is what ListObjectVersions shows of a key: all of it, or, for
// the key of the marker, what follows the version of the marker. If that is gone
// by now, all of it comes again: better twice than not at all.
func (b *bucket) versionsAfter(key, keyMarker, idMarker string, order Misorder) []listed {
	if key == keyMarker && idMarker == "" {
		return nil
	}
	var all []listed
	latest := b.latest(key)
	for _, v := range b.objects[key] {
		all = append(all, listed{v: v, latest: v == latest})
	}
	if order != OldestFirst {
		slices.Reverse(all)
	}
	if key != keyMarker {
		return all
	}
	at := slices.IndexFunc(all, func(e listed) bool { return e.v.ID == idMarker })
	return all[at+1:]
}

// marker is the position after the entry.
func (e listed) marker() (key, id string) {
	if e.group != "" {
		return e.group, ""
	}
	return e.v.Key, e.v.ID
}

func (e listed) versionElement(l *listing) versionElement {
	v := e.v
	x := versionElement{XMLName: xml.Name{Local: "Version"}, Key: l.encode(v.Key), VersionID: v.ID,
		IsLatest: e.latest, LastModified: listDate(v.Modified), Owner: owner{AccountID}}
	if v.Marker {
		x.XMLName.Local = "DeleteMarker"
		return x
	}
	x.ETag, x.Size, x.StorageClass = `"`+v.ETag+`"`, &v.Size, v.storageClass()
	x.Algorithms, x.ChecksumType = v.algorithms()
	return x
}

func (v *version) storageClass() string {
	if class := v.Header[headerClass]; class != "" {
		return class
	}
	return "STANDARD"
}

func (v *version) algorithms() (names []string, kind string) {
	for name := range v.Checksums {
		names, kind = append(names, name), "FULL_OBJECT"
	}
	slices.Sort(names)
	return names, kind
}

// objectsResult is the reply of ListObjectsV2.
type objectsResult struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount              int
	MaxKeys               int
	IsTruncated           bool
	Contents              []objectElement
	CommonPrefixes        []commonPrefixElement
}

type objectElement struct {
	Key          string
	LastModified string
	ETag         string
	Algorithms   []string `xml:"ChecksumAlgorithm"`
	ChecksumType string   `xml:",omitempty"`
	Size         int64
	StorageClass string
	Owner        *owner
}

// listObjects lists the current versions that are no markers.
func (s *Server) listObjects(c *call) error {
	if c.query.Get("list-type") != "2" {
		return notImplemented("list-type")
	}
	l, err := s.parseListing(c)
	if err != nil {
		return err
	}
	token := c.query.Get("continuation-token")
	after := c.query.Get("start-after")
	if c.query.Has("continuation-token") {
		position, err := base64.URLEncoding.DecodeString(token)
		if err != nil || token == "" {
			return invalidArgument("The continuation token provided is incorrect", "continuation-token", token)
		}
		after = string(position)
	}
	order := s.control.listingOrder()
	reply := objectsResult{Name: c.bucket, Prefix: l.encode(l.prefix), Delimiter: l.encode(l.delimiter), MaxKeys: l.max,
		EncodingType: c.query.Get("encoding-type"), StartAfter: l.encode(c.query.Get("start-after")), ContinuationToken: token}
	return s.bucketCall(c, func(b *bucket) error {
		entries, more := l.page(b, after, func(key string) []listed {
			v := b.latest(key)
			if v.Marker || key == after {
				return nil
			}
			return []listed{{v: v}}
		})
		reply.KeyCount, reply.IsTruncated = len(entries), more
		if more {
			position, _ := entries[len(entries)-1].marker()
			reply.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(position))
		}
		if order == PagesReversed {
			slices.Reverse(entries)
		}
		for _, e := range entries {
			if e.group != "" {
				reply.CommonPrefixes = append(reply.CommonPrefixes, commonPrefixElement{l.encode(e.group)})
			} else {
				reply.Contents = append(reply.Contents, e.objectElement(l, c.query.Get("fetch-owner") == "true"))
			}
		}
		return c.xml(http.StatusOK, reply)
	})
}

func (e listed) objectElement(l *listing, withOwner bool) objectElement {
	v := e.v
	x := objectElement{Key: l.encode(v.Key), LastModified: listDate(v.Modified), ETag: `"` + v.ETag + `"`,
		Size: v.Size, StorageClass: v.storageClass()}
	x.Algorithms, x.ChecksumType = v.algorithms()
	if withOwner {
		x.Owner = &owner{AccountID}
	}
	return x
}
