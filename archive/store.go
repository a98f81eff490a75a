package archive

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Store is the bucket as wormlog sees it: objects that are created once, locked, read, and kept longer. It can neither
// overwrite nor delete. Keys are relative to the home prefix, which the Store adds and removes.
//
// Every method may be called concurrently, and returns soon after its context ends. Reads are strongly consistent with
// completed creates and lock changes, as S3 promises. Every error wraps exactly one of the Err… sentinels of this
// package, or the context's error; an error that wraps none of them is to be treated as [ErrUncertain]. A Store does one
// attempt per Create: what a lost reply means is decided by the caller, which repeats the same bytes. Reads may be
// retried inside.
type Store interface {
	// Create writes body under key, once: it fails with ErrExists if the key has a current version that is not a delete
	// marker (If-None-Match: *). The object carries exactly o.Lock and a full-object SHA-256 that the server has checked
	// against body. On success the returned Created is complete. ErrConflict, ErrThrottled and ErrUncertain say that the
	// object may or may not exist now; ErrDenied and ErrRefused that it does not exist because of this call.
	Create(ctx context.Context, key string, body []byte, o CreateOptions) (Created, error)

	// Head describes one version, or the current one if versionID is empty. ErrNotFound: no such key or version.
	// ErrDeleteMarker: the version is a delete marker (or the current one is).
	Head(ctx context.Context, key, versionID string) (Object, error)

	// Get returns a version's bytes and what Head returns for it. It reads at most limit bytes and returns ErrTooLarge
	// beyond. Errors as Head's.
	Get(ctx context.Context, key, versionID string, limit int64) ([]byte, Object, error)

	// Versions lists every version and delete marker of all keys that start with prefix, keys ascending by UTF-8 bytes,
	// newest first within a key, starting behind the key startAfter if that is not empty. The listing is no snapshot. An
	// error ends the sequence and is its last element: a listing that ends without one is whole.
	Versions(ctx context.Context, prefix, startAfter string) iter.Seq2[Version, error]

	// ExtendRetention moves a version's retain-until later, mode COMPLIANCE. ErrDenied if the store refuses.
	ExtendRetention(ctx context.Context, key, versionID string, until time.Time) error

	// SetLegalHold switches a version's legal hold.
	SetLegalHold(ctx context.Context, key, versionID string, on bool) error

	// Settings reads the bucket's own settings. What may not be read is reported inside, as unknown; the error is for a
	// bucket that cannot be asked at all (ErrNotFound: no such bucket).
	Settings(ctx context.Context) (Settings, error)

	// Now returns the store's own clock: S3's Date header.
	Now(ctx context.Context) (time.Time, error)

	// Home says which bucket this is.
	Home() Home
}

// Errors of a [Store].
var (
	// ErrNotFound: no such bucket, key or version.
	ErrNotFound = errors.New("not found")
	// ErrExists: the key has a current version already (412).
	ErrExists = errors.New("exists already")
	// ErrConflict: another write of the key was under way (409); the outcome is not known, repeat the same bytes.
	ErrConflict = errors.New("conflicting write")
	// ErrThrottled: the store asks to slow down (503); repeat later.
	ErrThrottled = errors.New("throttled")
	// ErrDenied: a permission is missing, or a lock forbids it (403).
	ErrDenied = errors.New("access denied")
	// ErrRefused: the store says that the request itself is wrong, and always will be (other 4xx).
	ErrRefused = errors.New("refused")
	// ErrDeleteMarker: the version is a delete marker, which has no bytes and no lock (405).
	ErrDeleteMarker = errors.New("delete marker")
	// ErrTooLarge: the object is larger than the reader's limit.
	ErrTooLarge = errors.New("too large")
	// ErrUncertain: no answer, or one that says nothing about the outcome (time-out, reset, 5xx).
	ErrUncertain = errors.New("outcome unknown")
)

// Mode is S3's retention mode, in S3's words.
type Mode string

// The two modes of S3 Object Lock. wormlog writes Compliance only.
const (
	Compliance Mode = "COMPLIANCE"
	Governance Mode = "GOVERNANCE"
)

// Lock is the Object Lock state of one version. The zero Lock is an unlocked version.
type Lock struct {
	Mode        Mode
	RetainUntil time.Time // whole seconds, UTC
	LegalHold   bool
}

// CreateOptions go with one Create.
type CreateOptions struct {
	// RetainUntil is the explicit retain-until date, whole seconds. The mode is always COMPLIANCE.
	RetainUntil time.Time
	// SHA256 is the digest of the body; the server checks it.
	SHA256 [32]byte
	// ContentType is stored with the object.
	ContentType string
}

// Created is what the store said of a successful Create.
type Created struct {
	VersionID string
	Date      time.Time // the store's clock when it answered
}

// Object describes one version: identity (Key, Size, SHA256) and placement (VersionID, Lock).
type Object struct {
	Key          string
	VersionID    string
	Size         int64
	SHA256       [32]byte
	HasSHA256    bool // the store keeps a full-object SHA-256 and returned it
	LastModified time.Time
	Lock         Lock
	// RetentionHidden and HoldHidden say that the lock could not be seen (a missing permission), so an absent lock in
	// Lock means nothing. The store probes before it says that a version is unlocked.
	RetentionHidden bool
	HoldHidden      bool
	Encryption      string    // as S3 names it: AES256, aws:kms, …; empty if not returned
	Replica         bool      // a replica: its LastModified is not the original's
	Date            time.Time // the store's clock when it answered

	stated bool // LastModified is S3's own at home, as a trust file says, wherever the object lies now
}

// Version is one line of a version listing.
type Version struct {
	Key          string
	VersionID    string
	IsLatest     bool
	DeleteMarker bool
	Size         int64
	LastModified time.Time
}

// Home names a bucket, as log.json does.
type Home struct {
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix"` // without leading or trailing slash; empty for the bucket's root
	Region string `json:"region"`
}

// Known is a setting's value together with whether it could be read.
type Known[T any] struct {
	Value T
	// Err says why the value could not be read; nil if it was.
	Err error
}

// Settings are the bucket's settings that matter to evidence.
type Settings struct {
	// ObjectLock: Object Lock is enabled on the bucket.
	ObjectLock Known[bool]
	// DefaultMode and DefaultDays are the default retention; empty and 0 if there is none. A year counts as 365 days.
	DefaultMode Known[Mode]
	DefaultDays Known[int]
	// Versioning is Enabled or Suspended, or empty.
	Versioning Known[string]
	// Encryption is the default encryption: AES256, aws:kms, …
	Encryption Known[string]
	// LifecycleExpires lists the IDs of enabled lifecycle rules that expire objects or versions or add delete markers.
	LifecycleExpires Known[[]string]
	// Policy is the bucket policy's JSON; empty if there is none.
	Policy Known[string]
	// PublicAccessBlocked: all four public access blocks are on.
	PublicAccessBlocked Known[bool]
}
