package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FileProvider reads the bundle from a file each time: for development on loopback, and for hosts without Secrets
// Manager. Whoever reads the file can sign; nothing rotates it.
type FileProvider struct {
	Path string
}

// Current implements [Provider].
func (p FileProvider) Current(context.Context) (*Bundle, error) {
	b, err := ReadSecretFile(p.Path)
	if err != nil {
		return nil, err
	}
	bundle, err := ParseBundle(b)
	if err != nil {
		return nil, fmt.Errorf("signing key file %s: %w", p.Path, err)
	}
	return bundle, nil
}

// Version implements [Provider]. A file has one version, named by the key ID of the bundle in it.
func (p FileProvider) Version(ctx context.Context, version string) (*Bundle, error) {
	b, err := p.Current(ctx)
	if err != nil {
		return nil, err
	}
	return onlyVersion(b, version, "signing key file "+p.Path)
}

func onlyVersion(b *Bundle, version, where string) (*Bundle, error) {
	if version != string(b.id) {
		return nil, fmt.Errorf("%w: %s holds the bundle of key %s only", ErrNotFound, where, b.id)
	}
	return b, nil
}

// Create writes the bundle to the file, readable by the owner only. A file with the same contents is success; one with
// other contents stays as it is and the error wraps [ErrExists].
func (p FileProvider) Create(b *Bundle) error {
	secret, err := b.Secret()
	if err != nil {
		return err
	}
	return WriteSecretFile(p.Path, secret)
}

// FileCopies keeps verification copies as files <key id>.json in a folder.
type FileCopies struct {
	Dir string
}

// EntryKey implements [VerificationCopies].
func (c FileCopies) EntryKey(_ context.Context, id ID) (*VerificationCopy, error) {
	if err := id.Valid(); err != nil {
		return nil, err
	}
	path := c.path(id)
	b, err := ReadSecretFile(path)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w for key %s: there is no file %s", ErrNoVerificationCopy, id, path)
	}
	if err != nil {
		return nil, err
	}
	v, err := ParseVerificationCopy(b)
	if err != nil {
		return nil, fmt.Errorf("verification copy %s: %w", path, err)
	}
	if v.id != id {
		return nil, fmt.Errorf("%w: file %s holds the copy of key %s", ErrMismatch, path, v.id)
	}
	return v, nil
}

// PutCopy writes a copy to its file, readable by the owner only. A file with the same contents is success; one with other
// contents stays as it is and the error wraps [ErrExists].
func (c FileCopies) PutCopy(_ context.Context, v *VerificationCopy) error {
	secret, err := v.Secret()
	if err != nil {
		return err
	}
	return WriteSecretFile(c.path(v.id), secret)
}

func (c FileCopies) path(id ID) string { return filepath.Join(c.Dir, string(id)+".json") }

// ReadSecretFile reads a file with one secret, for a parser of this package. The error wraps [ErrNotFound] or [ErrDenied]
// where that is the reason. A file over the limit of [MaxSecret] is cut, so that no parser accepts it.
func ReadSecretFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no file %s; create it with wormlog init or name another", ErrNotFound, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: file %s may not be read by this user", ErrDenied, path)
	case err != nil:
		return nil, fmt.Errorf("read a secret: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxSecret+1))
	if err != nil {
		return nil, fmt.Errorf("read a secret: %w", err)
	}
	return b, nil
}

// WriteSecretFile writes a secret and a newline to a new file that only its owner may read, and syncs it. A file with
// the same contents is success; one with other contents stays as it is and the error wraps [ErrExists]. A write that fails
// leaves no file.
func WriteSecretFile(path string, secret []byte) error {
	line := append(bytes.Clone(secret), '\n')
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return sameSecretFile(path, line)
	}
	if err != nil {
		return fmt.Errorf("write a secret: %w", err)
	}
	_, err = f.Write(line)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write a secret: %w", err), os.Remove(path))
	}
	return nil
}

func sameSecretFile(path string, line []byte) error {
	have, err := ReadSecretFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, line) {
		return fmt.Errorf("%w: file %s was left as it is; move it away or name another", ErrExists, path)
	}
	return nil
}
