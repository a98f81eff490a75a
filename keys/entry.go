package keys

// EntrySigner signs the entries of one stream. It is not safe for concurrent use: give each goroutine a Clone.
type EntrySigner interface {
	KeyID() ID
	// SignatureSize returns the length of a signature in bytes.
	SignatureSize() int
	// AppendSignature appends the raw signature of an entry (the bytes of the value of "entry") to dst. It does not
	// keep entry. An error means that nothing was appended.
	AppendSignature(dst, entry []byte) ([]byte, error)
	Clone() EntrySigner
}

// EntryVerifier checks the signatures of the entries of one stream. It is not safe for concurrent use: give each
// goroutine a Clone.
type EntryVerifier interface {
	KeyID() ID
	// VerifyEntry reports whether signature is the raw signature of the entry, in constant time where a secret is
	// involved. It keeps neither.
	VerifyEntry(entry, signature []byte) bool
	Clone() EntryVerifier
}
