package archivetest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
)

// DevServer returns a [Tamperer] for the archive at home on a development server, by its back door. Reads that fail there
// fail the test. The server keeps no [RawVersion.Encryption], ContentType or Replica of versions that are put this way.
func DevServer(tb TB, server *devserver.Server, home archive.Home) Tamperer {
	d := &devTamperer{tb: tb, server: server, raw: server.Raw(), bucket: home.Bucket}
	if home.Prefix != "" {
		d.prefix = home.Prefix + "/"
	}
	return d
}

type devTamperer struct {
	tb             TB
	server         *devserver.Server
	raw            devserver.Raw
	bucket, prefix string
	allow          []func()
}

func (d *devTamperer) All() iter.Seq[RawVersion] {
	return func(yield func(RawVersion) bool) {
		d.tb.Helper()
		all, err := d.raw.Versions(d.bucket, d.prefix)
		if err != nil {
			d.tb.Errorf("list all versions: %v", err)
		}
		for _, v := range all {
			if v.Body, err = d.body(v); err != nil {
				d.tb.Errorf("read %q version %s: %v", v.Key, v.VersionID, err)
				return
			}
			if !yield(d.fromDev(v)) {
				return
			}
		}
	}
}

func (d *devTamperer) body(v devserver.Version) ([]byte, error) {
	if v.Marker {
		return nil, nil
	}
	return d.raw.Body(d.bucket, v.Key, v.VersionID)
}

func (d *devTamperer) fromDev(v devserver.Version) RawVersion {
	r := RawVersion{
		Key: strings.TrimPrefix(v.Key, d.prefix), VersionID: v.VersionID, DeleteMarker: v.Marker, Body: v.Body,
		LastModified: v.LastModified,
		Lock: archive.Lock{
			Mode: archive.Mode(v.Lock.Mode), RetainUntil: v.Lock.RetainUntil, LegalHold: v.Lock.LegalHold == "ON",
		},
	}
	sum, err := base64.StdEncoding.DecodeString(v.Checksums["SHA256"])
	if r.HasSHA256 = err == nil && len(sum) == len(r.SHA256); r.HasSHA256 {
		r.SHA256 = [32]byte(sum)
	}
	return r
}

func (d *devTamperer) toDev(r RawVersion) devserver.Version {
	v := devserver.Version{ // which keeps the body it is given
		Key: d.prefix + r.Key, VersionID: r.VersionID, Marker: r.DeleteMarker, Body: bytes.Clone(r.Body), LastModified: r.LastModified,
		Checksums: map[string]string{}, Lock: toDevLock(r.Lock),
	}
	if r.HasSHA256 {
		v.Checksums["SHA256"] = base64.StdEncoding.EncodeToString(r.SHA256[:])
	}
	return v
}

func toDevLock(l archive.Lock) devserver.Lock {
	d := devserver.Lock{Mode: string(l.Mode), RetainUntil: l.RetainUntil}
	if l.LegalHold {
		d.LegalHold = "ON"
	}
	return d
}

// history returns a key's versions, newest first.
func (d *devTamperer) history(key string) ([]devserver.Version, error) {
	all, err := d.raw.Versions(d.bucket, d.prefix+key)
	return slices.DeleteFunc(all, func(v devserver.Version) bool { return v.Key != d.prefix+key }), err
}

// named returns the ID of a version that exists, the newest if versionID is empty.
func (d *devTamperer) named(what, key, versionID string) (string, error) {
	history, err := d.history(key)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", what, naming(key, versionID), err)
	}
	for _, v := range history {
		if versionID == "" || v.VersionID == versionID {
			return v.VersionID, nil
		}
	}
	return "", fmt.Errorf("%s %s: %w", what, naming(key, versionID), archive.ErrNotFound)
}

func (d *devTamperer) PutVersion(key string, body []byte, lock archive.Lock, modified time.Time) (string, error) {
	return d.InsertVersion(RawVersion{
		Key: key, Body: body, SHA256: sha256.Sum256(body), HasSHA256: true, Lock: lock, LastModified: modified,
	}, Newest)
}

func (d *devTamperer) DeleteMarker(key string) (string, error) {
	return d.InsertVersion(RawVersion{Key: key, DeleteMarker: true}, Newest)
}

// InsertVersion re-dates the other versions of the key for a moment, since the server places a version by its date.
func (d *devTamperer) InsertVersion(r RawVersion, place int) (string, error) {
	history, err := d.history(r.Key)
	if err != nil {
		return "", fmt.Errorf("insert %s: %w", naming(r.Key, r.VersionID), err)
	}
	for i, v := range history {
		if v.VersionID == r.VersionID {
			return "", fmt.Errorf("insert %s: %w", naming(r.Key, r.VersionID), archive.ErrExists)
		}
		year := 9000
		if i >= place {
			year = 1
		}
		if err := d.date(v.Key, v.VersionID, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
			return "", err
		}
	}
	id, err := d.raw.PutVersion(d.bucket, d.toDev(r))
	if err != nil {
		return "", fmt.Errorf("insert %s: %w", naming(r.Key, r.VersionID), err)
	}
	for _, v := range history {
		if err := d.date(v.Key, v.VersionID, v.LastModified); err != nil {
			return "", err
		}
	}
	return id, nil
}

func (d *devTamperer) date(fullKey, versionID string, modified time.Time) error {
	return d.raw.SetLastModified(d.bucket, fullKey, versionID, modified)
}

func (d *devTamperer) ReplaceBody(key, versionID string, body []byte, fixChecksum bool) error {
	id, err := d.named("replace the body of", key, versionID)
	if err != nil {
		return err
	}
	body = bytes.Clone(body)
	if fixChecksum {
		return d.raw.ReplaceBody(d.bucket, d.prefix+key, id, body)
	}
	return d.raw.CorruptBody(d.bucket, d.prefix+key, id, body)
}

func (d *devTamperer) SetLock(key, versionID string, lock archive.Lock) error {
	id, err := d.named("set the lock of", key, versionID)
	if err != nil {
		return err
	}
	return d.raw.SetLock(d.bucket, d.prefix+key, id, toDevLock(lock))
}

func (d *devTamperer) SetLastModified(key, versionID string, modified time.Time) error {
	id, err := d.named("re-date", key, versionID)
	if err != nil {
		return err
	}
	return d.date(d.prefix+key, id, modified)
}

func (d *devTamperer) DeleteVersion(key, versionID string) error {
	id, err := d.named("delete", key, versionID)
	if err != nil {
		return err
	}
	return d.raw.DeleteVersion(d.bucket, d.prefix+key, id)
}

func (d *devTamperer) RemoveKey(key string) error {
	if _, err := d.named("remove", key, ""); err != nil {
		return err
	}
	history, err := d.history(key)
	for _, v := range history {
		err = cmp.Or(err, d.raw.DeleteVersion(d.bucket, v.Key, v.VersionID))
	}
	return err
}

func (d *devTamperer) Deny(action Action, prefix string) {
	prefix = d.prefix + prefix
	if action.onBucket() {
		prefix = ""
	}
	d.allow = append(d.allow, d.server.Deny(string(action), prefix))
	if action == GetObject {
		d.allow = append(d.allow, d.server.Deny("s3:GetObjectVersion", prefix))
	}
}

func (d *devTamperer) AllowAll() {
	for _, allow := range d.allow {
		allow()
	}
	d.allow = nil
}

func (d *devTamperer) Misorder(order Misorder) {
	d.server.Misorder(map[Misorder]devserver.Misorder{
		InOrder: devserver.InOrder, PagesReversed: devserver.PagesReversed, OldestFirst: devserver.OldestFirst,
	}[order])
}

// SetSettings sets what has a back door there, and the rest as an administrator would, by requests.
func (d *devTamperer) SetSettings(s archive.Settings) error {
	if err := d.raw.SetObjectLock(d.bucket, true); err != nil {
		return err
	}
	if err := d.raw.SetVersioning(d.bucket, "Enabled"); err != nil { // else no default retention can be set
		return err
	}
	for resource, document := range documents(s) {
		if err := d.put(resource, document); err != nil {
			return err
		}
	}
	if !s.ObjectLock.Value {
		if err := d.raw.SetObjectLock(d.bucket, false); err != nil {
			return err
		}
	}
	return d.raw.SetVersioning(d.bucket, s.Versioning.Value)
}

// documents are settings as S3's sub-resources; an empty one is to be deleted.
func documents(s archive.Settings) map[string]string {
	docs := map[string]string{
		"object-lock": "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
		"lifecycle":   "", "policy": s.Policy.Value, "publicAccessBlock": "",
	}
	if s.DefaultDays.Value > 0 {
		docs["object-lock"] = fmt.Sprintf("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"+
			"<DefaultRetention><Mode>%s</Mode><Days>%d</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
			s.DefaultMode.Value, s.DefaultDays.Value)
	}
	if s.Encryption.Value != "" { // a bucket always has one; unsaid, it stays
		docs["encryption"] = fmt.Sprintf("<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"+
			"<SSEAlgorithm>%s</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
			s.Encryption.Value)
	}
	if ids := s.LifecycleExpires.Value; len(ids) > 0 {
		var rules strings.Builder
		for _, id := range ids {
			rules.WriteString("<Rule><ID>")
			_ = xml.EscapeText(&rules, []byte(id)) // a Builder does not fail
			rules.WriteString("</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>" +
				"<Expiration><Days>1</Days></Expiration></Rule>")
		}
		docs["lifecycle"] = "<LifecycleConfiguration>" + rules.String() + "</LifecycleConfiguration>"
	}
	if s.PublicAccessBlocked.Value {
		docs["publicAccessBlock"] = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>" +
			"<IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>" +
			"<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
	}
	return docs
}

// put sets or deletes a sub-resource of the bucket, in process.
func (d *devTamperer) put(resource, document string) error {
	method := http.MethodPut
	if document == "" {
		method = http.MethodDelete
	}
	r := httptest.NewRequest(method, "/"+d.bucket+"?"+resource, strings.NewReader(document))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=tamperer, SignedHeaders=host, Signature=0")
	sum := sha256.Sum256([]byte(document))
	r.Header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
	w := httptest.NewRecorder()
	d.server.ServeHTTP(w, r)
	if w.Code/100 != 2 {
		return fmt.Errorf("set %s of bucket %q: the server answered %d: %s", resource, d.bucket, w.Code, w.Body)
	}
	return nil
}
