package keys_test

import (
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// A key is made, its record is signed and stored, a writer signs with it, and a verifier checks everything from what is
// stored.
func Example() {
	log := keys.LogID(lineobject.HexDigest([]byte("line 1 of log.json")))
	authority, err := keys.NewAuthorityKey("online")
	if err != nil {
		fmt.Println(err)
		return
	}
	bundle, record, err := keys.NewKey(log, keys.RoleWriter, "payments.*", keys.AlgorithmHMACSHA256, map[string]string{"provider": "file"}, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, id, err := keys.SignRecord(record, authority.Signer())
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := bundle.SigningKey(record)
	if err != nil {
		fmt.Println(err)
		return
	}
	const stream = "payments.01JD8Z6Y3M5N7P9QRSTVWXYZ01"
	signer, err := key.EntrySigner(stream)
	if err != nil {
		fmt.Println(err)
		return
	}
	entry := []byte(`{"stream":"payments.01JD8Z6Y3M5N7P9QRSTVWXYZ01","index":0}`)
	signature, err := signer.AppendSignature(nil, entry)
	if err != nil {
		fmt.Println(err)
		return
	}

	published, object, err := keys.ParseRecord(stored)
	if err != nil {
		fmt.Println(err)
		return
	}
	a := authority.Authority()
	publishedID, err := published.ID()
	fmt.Println("record is named by its hash:", err == nil && publishedID == id)
	fmt.Println("authority signed the record:", keys.VerifyLine(keys.KindKey, log, a.ID(), a.PublicKey, object) == nil)
	verifier, err := published.EntryVerifier(stream, bundle.VerificationCopy())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("entry is as it was signed:", verifier.VerifyEntry(entry, signature))
	_, err = key.EntrySigner("payroll.01JD8Z6Y3M5N7P9QRSTVWXYZ01")
	fmt.Println("other streams are refused:", err != nil)
	// Output:
	// record is named by its hash: true
	// authority signed the record: true
	// entry is as it was signed: true
	// other streams are refused: true
}
