// Package keys holds everything about the keys of a wormlog: identities, key records, signing bundles, signers and
// verifiers. It knows no network, no AWS and no archive.
//
// A signing key has two halves. The [Bundle] is secret and lives where secrets live; the [Record] is public, is signed by
// an authority and is kept in the archive, named by its own hash:
//
//	bundle, record, err := keys.NewKey(log, keys.RoleWriter, "payments.*", keys.AlgorithmHMACSHA256, source, "")
//	object, id, err := keys.SignRecord(record, authority.Signer())   // store as keys/<id>.json before any use
//	secret, err := bundle.Secret()                                    // store as the signing secret
//
// A writer loads both and signs:
//
//	bundle, err := provider.Current(ctx)
//	record, object, err := keys.ParseRecord(stored)                   // keys/<bundle.KeyID()>.json
//	key, err := bundle.SigningKey(record)                             // refuses a bundle that does not fit
//	entries, err := key.EntrySigner(stream)                           // refuses a stream the record does not cover
//	signature, err := entries.AppendSignature(nil, entry)
//
// Who rotates keys loads what may sign their records, a key of genesis or one of role online:
//
//	authority, err := keys.ParseAuthoritySigner(secret)
//	object, id, err := keys.SignRecord(record, authority.Signer())
//
// A verifier needs the record, and for HMAC also the verification copy of the entry key:
//
//	err = keys.VerifyLine(keys.KindKey, log, authority.ID(), authority.PublicKey, object)
//	verifier, err := record.EntryVerifier(stream, copy)               // copy is nil for Ed25519
//	ok := verifier.VerifyEntry(entry, signature)
//
// Every signature covers a domain, the log ID, the key ID and the bytes, so none can be moved to another log, key or kind
// of object (docs/format.md, "Signed message"). The key record names the algorithm; a message never chooses.
//
// # Secrets
//
// No error of this package holds a secret or the input of a parser of secrets. Types that hold secrets print, log and
// encode to JSON as their key ID and "[secret]"; only their Secret methods give the bytes away. Go moves and copies
// memory as it likes, so erasing a key is best effort.
//
// # Stability
//
// What a release writes as wormlog/v1, every later one verifies. Until then the format is wormlog/v1-draft, and a parser
// that meets another one says so with [ErrUnknownFormat].
package keys
