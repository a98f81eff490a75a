package archivetest

import (
	"github.com/wormlog/wormlog/keys"
)

// algorithmClasses have entries signed by another algorithm than their key's record names, by who cannot do better: the
// public key is everybody's, and a stream key's owner may have the manifest key and not the entry key.
var algorithmClasses = []Class{
	{"entry-hmac-under-the-public-key", forgeEntries(func(p *Segment) {
		e := p.Entries[2]
		e.Sign = func(signed []byte) []byte { return signature(hmacUnderPublicKey(e, signed)) }
	})},
	{"entry-ed25519-where-hmac-is-due", forgeHMACEntry(signWithManifestKey)},
	{"entry-ed25519-where-hmac-is-due-unchecked", forgeHMACEntry(signWithManifestKey)},
	{"entry-ed25519-cut-to-an-hmac", forgeHMACEntry(func(e *Entry, signed []byte) ([]byte, error) {
		b, err := signWithManifestKey(e, signed)
		return b[:32], err
	})},
}

// forgeHMACEntry has one entry of a stream with HMAC signed in another way.
func forgeHMACEntry(sign func(e *Entry, signed []byte) ([]byte, error)) func(t Tamperer, a *Archive) (string, string, error) {
	return func(t Tamperer, a *Archive) (string, string, error) {
		p := a.Segment(PaymentsC, 1, 0)
		err := a.Forge(t, PaymentsC, func(*Stream) {
			e := p.Entries[1]
			e.Sign = func(signed []byte) []byte { return signature(sign(e, signed)) }
		})
		return p.Ref.Key, p.VersionID, err
	}
}

func signWithManifestKey(e *Entry, signed []byte) ([]byte, error) {
	return e.Key.Signing.Signer().Sign(append(keys.EntryPrefix(e.Key.Record.LogID, e.Key.ID), signed...))
}

func hmacUnderPublicKey(e *Entry, signed []byte) ([]byte, error) {
	raw, err := e.Key.Record.PublicKey.Ed25519()
	if err != nil {
		return nil, err
	}
	signer, err := keys.NewHMACEntrySigner(raw, e.Key.Record.LogID, e.Key.ID, e.Stream)
	if err != nil {
		return nil, err
	}
	return signer.AppendSignature(nil, signed)
}

// signature is for what fails only where this package is wrong.
func signature(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
