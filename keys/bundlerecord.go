package keys

import "fmt"

// Record makes the key record again that [NewKey] made with this bundle, so that storing a key can be completed by
// whoever has the bundle. The error wraps [ErrMismatch] if the bundle was made with other streams, source or previous key.
func (b *Bundle) Record(streams string, source map[string]string, previous ID) (Record, error) {
	r := Record{
		Format: FormatDraft, LogID: b.LogID(), Role: b.Role(), Streams: streams, EntryAlgorithm: AlgorithmEd25519,
		PublicKey: b.publicKey(), Source: source, Previous: previous,
	}
	if !b.entry.none() {
		r.EntryAlgorithm = AlgorithmHMACSHA256
		r.HMACCommitment = HMACCommitment(b.entry.bytes(), b.LogID())
	}
	id, err := r.ID()
	if err != nil {
		return Record{}, err
	}
	if id != b.KeyID() {
		return Record{}, fmt.Errorf("%w: the bundle of key %s was made for other streams than %s, or kept in another place; name the writer and the secret that it was made for", ErrMismatch, b.KeyID(), streams)
	}
	return r, nil
}
