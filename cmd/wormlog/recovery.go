package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/keys"
)

// recoveryFile is where init leaves the recovery key. Until log.json names the key, it is in a file whose name depends on
// the bucket and prefix alone, so that a run that comes after a crash finds it. It is never overwritten.
type recoveryFile struct {
	path string // as asked for; empty for one named after the log ID
}

func (r recoveryFile) pending(bucket, prefix string) string {
	if r.path != "" {
		return r.path
	}
	sum := sha256.Sum256([]byte(bucket + "\n" + prefix))
	return "wormlog-recovery-new-" + hex.EncodeToString(sum[:4]) + ".key"
}

func (r recoveryFile) final(log keys.LogID) string {
	if r.path != "" {
		return r.path
	}
	return "wormlog-recovery-" + string(log[:8]) + ".key"
}

// take returns the key that a run before left, or makes one and stores it.
func (r recoveryFile) take(bucket, prefix string) (*keys.AuthorityKey, error) {
	path := r.pending(bucket, prefix)
	k, err := readRecovery(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = keys.NewAuthorityKey(archive.RecoveryAuthority); err != nil {
		return nil, err
	}
	secret, err := k.Secret()
	if err != nil {
		return nil, err
	}
	return k, keys.WriteSecretFile(path, secret)
}

func readRecovery(path string) (*keys.AuthorityKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("recovery key: %w", err)
	}
	k, err := keys.ParseAuthorityKey(b)
	if err != nil {
		return nil, withHint(fmt.Errorf("the file %s is not a recovery key and was left as it is: %w", path, err), "name another file with --recovery-key")
	}
	if k.Authority().Name != archive.RecoveryAuthority {
		return nil, withHint(fmt.Errorf("the file %s holds the key of the authority %q, not the recovery key", path, k.Authority().Name), "name another file with --recovery-key")
	}
	return k, nil
}

// settle gives the file of the log's recovery key its final name, and returns it; empty if the key is not here.
func (r recoveryFile) settle(bucket, prefix string, log keys.LogID, want keys.ID) (string, error) {
	final, pending := r.final(log), r.pending(bucket, prefix)
	if k, err := readRecovery(final); err == nil && k.Authority().ID() == want {
		return final, nil
	}
	k, err := readRecovery(pending)
	if err != nil || k.Authority().ID() != want {
		return "", nil // it was taken offline, as it should be
	}
	if err := os.Link(pending, final); err != nil { // unlike Rename, it never replaces a file
		return "", fmt.Errorf("the recovery key is in %s and could not be renamed: %w", pending, err)
	}
	if err := os.Remove(pending); err != nil {
		return "", fmt.Errorf("the recovery key is in %s, and its old name %s could not be removed: %w", final, pending, err)
	}
	return final, nil
}
