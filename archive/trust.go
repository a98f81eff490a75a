package archive

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// TrustFile is everything that decides whom to trust, in one file that can be kept, mailed and put under version control:
// log.json, the key records, and the acts of the authority. It holds no secrets. It is not signed: its objects certify
// themselves, once the log ID is the right one, and its worth is where it is kept. What nobody signs in it are the dates,
// and that nothing was left out.
//
// With it a copy of an archive can be verified that has lost these objects, or whose keeper has taken some away: see
// [TrustFile.Overlay].
type TrustFile struct {
	Format   string        `json:"format"`
	LogID    keys.LogID    `json:"log_id"`
	Exported Second        `json:"exported"` // by the store's clock
	Objects  []TrustObject `json:"objects"`  // ascending by key, one for each
}

// TrustObject is one object as the log's home held it.
type TrustObject struct {
	Key       string `json:"key"`
	VersionID string `json:"version_id"`
	// Date is when S3 says that it was written; zero if its date said nothing, as in copies and of replicas.
	Date Second `json:"date,omitzero"`
	Body []byte `json:"body"`
}

// MaxTrustBytes caps a trust file: tens of thousands of key records and acts.
const MaxTrustBytes = 64 << 20

// authorityArea holds the acts that a trust file takes along.
const authorityArea = "control/" + ControlAuthority + "/"

// FormatTrustFile returns f as one line of canonical JSON, or an error that says what ParseTrustFile would refuse.
func FormatTrustFile(f TrustFile) ([]byte, error) {
	f.Format = Format
	if err := f.check(); err != nil {
		return nil, err
	}
	b, err := lineobject.Marshal(f)
	if err == nil && len(b) >= MaxTrustBytes {
		err = fmt.Errorf("the trust file would have %d bytes, over %d", len(b)+1, MaxTrustBytes)
	}
	return append(b, '\n'), err
}

// ParseTrustFile accepts exactly what FormatTrustFile writes. Its log.json is that of its log ID, and its key records are
// what their names say; who signed them, and the acts, is judged when the file is used. Errors wrap ErrMalformed,
// ErrUnknownFormat, ErrWrongLog or keys.ErrBadSignature.
func ParseTrustFile(b []byte) (f TrustFile, err error) {
	if len(b) > MaxTrustBytes {
		return f, fmt.Errorf("%w: a trust file of %d bytes, over %d", ErrMalformed, len(b), MaxTrustBytes)
	}
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return f, fmt.Errorf("%w: a trust file is one line that ends in a newline", ErrMalformed)
	}
	b = b[:len(b)-1]
	if err := checkFormat(b); err != nil {
		return f, err
	}
	if err := lineobject.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := f.check(); err != nil {
		return f, err
	}
	return f, nil
}

func (f *TrustFile) check() error {
	if err := f.LogID.Valid(); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	for i := range f.Objects {
		o := &f.Objects[i]
		if i > 0 && o.Key <= f.Objects[i-1].Key {
			return fmt.Errorf("%w: the objects do not ascend by key", ErrMalformed)
		}
		if err := o.check(); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrMalformed, o.Key, err)
		}
	}
	_, err := f.Log()
	return err
}

func (o *TrustObject) check() error {
	limit, err := trustLimit(o.Key)
	if err != nil {
		return err
	}
	if len(o.Body) == 0 || len(o.Body) > limit {
		return fmt.Errorf("it does not have 1 to %d bytes", limit)
	}
	if err := checkText("its version_id", o.VersionID, 1024); err != nil {
		return err
	}
	if id, ok := recordID(o.Key); ok && !named(id, o.Body) {
		return fmt.Errorf("%w: it hashes to %s", errRecordName, lineobject.HexDigest(lineobject.FirstLine(o.Body)))
	}
	return nil
}

var errTrustKey = errors.New("this is no object that decides whom to trust")

// trustLimit says how large the object under a key may be. Keys of other objects than a trust file has are an error.
func trustLimit(key string) (int, error) {
	if key == GenesisKey {
		return maxGenesisBytes, nil
	}
	if _, ok := recordID(key); ok {
		return keys.MaxRecord, nil
	}
	if _, _, ok := splitManifestKey(authorityArea, key); ok {
		return MaxManifestBytes, nil
	}
	if _, ok := segmentStream(authorityArea, key); ok && strings.HasPrefix(key, authorityArea) {
		return maxStoredSegment, nil
	}
	return 0, errTrustKey
}

// recordID is the key ID that a key record's key names.
func recordID(key string) (keys.ID, bool) {
	name, isRecord := strings.CutPrefix(key, keysPrefix)
	name, isJSON := strings.CutSuffix(name, ".json")
	id := keys.ID(name)
	return id, isRecord && isJSON && id.Valid() == nil
}

// named says whether a key record's bytes are those that its name is the hash of.
func named(id keys.ID, record []byte) bool {
	return lineobject.HexDigest(lineobject.FirstLine(record))[:len(id)] == string(id)
}

// Log returns the log that the trust file is for. The hash comes before the parser: an edited log.json must not pass for
// one of a later release.
func (f *TrustFile) Log() (*Log, error) {
	b := f.Body(GenesisKey)
	if b == nil {
		return nil, fmt.Errorf("%w: the trust file holds no log.json", ErrMalformed)
	}
	if id := lineobject.HexDigest(lineobject.FirstLine(b)); id != string(f.LogID) {
		return nil, fmt.Errorf("%w: the trust file is for the log %s, but its log.json hashes to %s", ErrWrongLog, f.LogID, id)
	}
	return ParseLog(b)
}

// Body returns the bytes of the object under a key, nil if the file does not hold it.
func (f *TrustFile) Body(key string) []byte {
	i, ok := slices.BinarySearchFunc(f.Objects, key, func(o TrustObject, key string) int { return strings.Compare(o.Key, key) })
	if !ok {
		return nil
	}
	return f.Objects[i].Body
}

// Count says how many key records the file holds, and how many acts its manifests name.
func (f *TrustFile) Count() (records, acts int) {
	for i := range f.Objects {
		if _, ok := recordID(f.Objects[i].Key); ok {
			records++
		} else if m, _, err := ParseManifest(f.Objects[i].Body); err == nil {
			acts += int(m.Tree.Size - m.Begin())
		}
	}
	return records, acts
}

// Extends says whether f holds everything that older does: whether it may take its place.
func (f *TrustFile) Extends(older *TrustFile) error {
	if f.LogID != older.LogID {
		return fmt.Errorf("%w: it is for the log %s, not for %s", ErrWrongLog, older.LogID, f.LogID)
	}
	for i := range older.Objects {
		if o := &older.Objects[i]; !bytes.Equal(f.Body(o.Key), o.Body) {
			return fmt.Errorf("it holds %s, which the archive does not hold any more", o.Key)
		}
	}
	return nil
}
