package archive_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/keys"
)

// exampleT lets examples use what is made for tests.
type exampleT struct{}

func (exampleT) Helper()                   {}
func (exampleT) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// A log from nothing: authorities, genesis, a signing key and its record, one entry, and the verdict.
func Example() {
	ctx := context.Background()
	store := archivetest.NewMemory(exampleT{}, archive.Home{Bucket: "audit", Region: "eu-central-1"}, time.Now)

	online, _ := keys.NewAuthorityKey(archive.OnlineAuthority)
	recovery, _ := keys.NewAuthorityKey(archive.RecoveryAuthority) // to be kept offline
	log, err := archive.NewLog(archive.Genesis{
		Origin: "example.com/payments-audit", Nonce: archive.NewNonce(), Created: archive.Instant{Time: time.Now()}, Home: store.Home(),
		Authorities: []keys.Authority{online.Authority(), recovery.Authority()},
		Retention:   archive.RetentionPolicy{Days: 2557, MaxDays: 3650},
	}, online)
	check(err)
	_, err = log.Create(ctx, store)
	check(err)

	bundle, record, err := keys.NewKey(log.ID, keys.RoleWriter, "payments.*", keys.AlgorithmEd25519, map[string]string{"provider": "example"}, "")
	check(err)
	object, id, err := keys.SignRecord(record, online.Signer())
	check(err)
	_, err = log.CreateRecord(ctx, store, id, object)
	check(err)

	w, err := archive.OpenWriter(ctx, archive.WriterConfig{
		Store: store, Log: log, Writer: "payments",
		Key: func(context.Context) (*keys.SigningKey, error) { return bundle.SigningKey(record) },
	})
	check(err)
	pending, err := w.Append(ctx, archive.Record{ID: "order-17", Type: "decision", Data: []byte(`{"allow": true}`)})
	check(err)
	check(w.Close(ctx))
	item, err := pending.Wait(ctx)
	check(err)
	fmt.Println(item.ID, "is entry", item.Index)

	report, err := archive.Verify(ctx, archive.VerifyConfig{Store: store, LogID: log.ID})
	check(err)
	fmt.Println(report)
	// Output:
	// order-17 is entry 0
	// INTACT (full, 100 %, tail unpinned)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
