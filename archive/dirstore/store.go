// Package dirstore reads an archive from a local directory, as `aws s3 sync` or a plain copy leaves it: every object is a
// file, its key the path. With it and a trust file a copy is verified without network and credentials.
//
//	dir, err := dirstore.Open("/evidence/copy")
//	report, err := archive.Verify(ctx, archive.VerifyConfig{Store: trust.Overlay(dir)})
//
// A directory knows no versions, no locks and no dates of S3's, and it is never a log's home: a verification says
// placement: copy, and judges none of these. "Now" is this machine's clock. Nothing is ever written.
//
// Symbolic links are not followed, neither out of the directory nor within it, but for the directory itself. Each is
// listed as an object, and reading it is an error; so with everything else that is no regular file. Listing what lies
// behind one is an error too.
package dirstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// VersionID is the version ID of every object, as S3 has it for objects of buckets without versions.
const VersionID = "null"

// Store is an [archive.Store] over a directory. Its methods may be called concurrently.
type Store struct {
	root *os.Root
	dir  string // absolute
}

// Open returns the store over a directory, whose prefix is the directory itself: log.json lies in it. Close it after use.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", dir, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", dir, errors.Unwrap(err))
	}
	return &Store{root: root, dir: abs}, nil
}

// Close lets go of the directory. Later reads fail.
func (s *Store) Close() error { return s.root.Close() }

// Home implements [archive.Store]: file:// and the path. No bucket is called so.
func (s *Store) Home() archive.Home {
	return archive.Home{Bucket: "file://" + filepath.ToSlash(s.dir)}
}

// Now implements [archive.Store]: this machine's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	return time.Now().UTC().Truncate(time.Second), ctx.Err()
}

// Settings implements [archive.Store]: none is known.
func (s *Store) Settings(context.Context) (archive.Settings, error) {
	unknown := errors.New("a directory has no settings of a bucket")
	return archive.Settings{
		ObjectLock: archive.Known[bool]{Err: unknown}, DefaultMode: archive.Known[archive.Mode]{Err: unknown},
		DefaultDays: archive.Known[int]{Err: unknown}, Versioning: archive.Known[string]{Err: unknown},
		Encryption: archive.Known[string]{Err: unknown}, LifecycleExpires: archive.Known[[]string]{Err: unknown},
		Policy: archive.Known[string]{Err: unknown}, PublicAccessBlocked: archive.Known[bool]{Err: unknown},
	}, nil
}

var errReadOnly = fmt.Errorf("%w: a directory is only read here; write to the log's bucket", archive.ErrRefused)

// Create implements [archive.Store]: it is refused.
func (s *Store) Create(_ context.Context, key string, _ []byte, _ archive.CreateOptions) (archive.Created, error) {
	return archive.Created{}, fmt.Errorf("create %q: %w", key, errReadOnly)
}

// ExtendRetention implements [archive.Store]: it is refused.
func (s *Store) ExtendRetention(_ context.Context, key, _ string, _ time.Time) error {
	return fmt.Errorf("extend retention of %q: %w", key, errReadOnly)
}

// SetLegalHold implements [archive.Store]: it is refused.
func (s *Store) SetLegalHold(_ context.Context, key, _ string, _ bool) error {
	return fmt.Errorf("set legal hold of %q: %w", key, errReadOnly)
}

// Head implements [archive.Store]. It reads the whole file for its SHA-256, which a directory does not keep.
func (s *Store) Head(ctx context.Context, key, versionID string) (archive.Object, error) {
	f, o, err := s.open(ctx, key, versionID)
	if err != nil {
		return archive.Object{}, fmt.Errorf("head %q: %w", key, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, f}); err != nil {
		return archive.Object{}, fmt.Errorf("head %q: %w", key, because(err))
	}
	h.Sum(o.SHA256[:0])
	return o, nil
}

// Get implements [archive.Store].
func (s *Store) Get(ctx context.Context, key, versionID string, limit int64) ([]byte, archive.Object, error) {
	f, o, err := s.open(ctx, key, versionID)
	if err != nil {
		return nil, archive.Object{}, fmt.Errorf("get %q: %w", key, err)
	}
	defer f.Close()
	if o.Size > limit {
		return nil, archive.Object{}, fmt.Errorf("get %q: %w: %d bytes, at most %d wanted", key, archive.ErrTooLarge, o.Size, limit)
	}
	b := make([]byte, o.Size)
	if _, err := io.ReadFull(reader{ctx, f}, b); err != nil {
		return nil, archive.Object{}, fmt.Errorf("get %q: %w", key, because(err))
	}
	o.SHA256 = sha256.Sum256(b)
	return b, o, nil
}

// open opens the file of a key, if that is a regular one, and says what is known of it but for its digest.
func (s *Store) open(ctx context.Context, key, versionID string) (*os.File, archive.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, archive.Object{}, err
	}
	if versionID != "" && versionID != VersionID || !fs.ValidPath(key) || key == "." {
		return nil, archive.Object{}, archive.ErrNotFound
	}
	if err := s.throughLink(path.Dir(key)); err != nil {
		return nil, archive.Object{}, err
	}
	name := filepath.FromSlash(key)
	info, err := s.root.Lstat(name) // opening a pipe would wait for somebody to write to it
	switch {
	case err != nil:
		return nil, archive.Object{}, because(err)
	case info.IsDir():
		return nil, archive.Object{}, archive.ErrNotFound
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, archive.Object{}, fmt.Errorf("%w: it is a symbolic link, which is not followed", archive.ErrRefused)
	case !info.Mode().IsRegular():
		return nil, archive.Object{}, fmt.Errorf("%w: it is no regular file", archive.ErrRefused)
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, archive.Object{}, because(err)
	}
	return f, archive.Object{
		Key: key, VersionID: VersionID, Size: info.Size(), HasSHA256: true, LastModified: modified(info),
		RetentionHidden: true, HoldHidden: true, Date: time.Now().UTC(),
	}, nil
}

// throughLink is an error if the way to a directory leads through a symbolic link, or it is one itself.
func (s *Store) throughLink(dir string) error {
	for i := range len(dir) + 1 {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		info, err := s.root.Lstat(filepath.FromSlash(dir[:i]))
		if err != nil {
			return nil // whoever goes that way will meet it
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%w: %s is a symbolic link, which is not followed", archive.ErrRefused, dir[:i])
		}
	}
	return nil
}

// modified is when a file was last written to, which says nothing of when its object was.
func modified(info fs.FileInfo) time.Time { return info.ModTime().UTC().Truncate(time.Second) }

// because is a file system's error as a store's.
func because(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return archive.ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", archive.ErrDenied, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrClosed):
		return fmt.Errorf("%w: %w", archive.ErrRefused, err)
	}
	return fmt.Errorf("%w: %w", archive.ErrUncertain, err)
}

// reader reads until its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
