package main

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/internal/rotate/rotatetest"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// counted counts the calls to Secrets Manager.
type counted struct {
	secretsmanager.Reader
	n atomic.Int64
}

func (c *counted) GetSecretValue(ctx context.Context, in *sm.GetSecretValueInput, o ...func(*sm.Options)) (*sm.GetSecretValueOutput, error) {
	c.n.Add(1)
	return c.Reader.GetSecretValue(ctx, in, o...)
}

// While what was read is fresh, a writer that looks at its signing key again and again calls nobody.
func TestLookupCostsNoCall(t *testing.T) {
	s := rotatetest.New(t, keys.AlgorithmHMACSHA256)
	api, store := &counted{Reader: s.API}, archivetest.NewCounting(s.Store)
	p, err := secretsmanager.NewProvider(secretsmanager.Config{API: api, SecretID: rotatetest.Signing})
	if err != nil {
		t.Fatal(err)
	}
	key := archive.SigningKeys(s.Log, store, p)
	looked := make(chan struct{})
	w, err := archive.OpenWriter(t.Context(), archive.WriterConfig{
		Store: store, Log: s.Log, Writer: "main", KeyCheck: 100 * time.Microsecond,
		Key: func(ctx context.Context) (*keys.SigningKey, error) {
			select {
			case looked <- struct{}{}:
			default:
			}
			return key(ctx)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := w.Append(t.Context(), archive.Record{}); err != nil {
			t.Fatal(err)
		}
		<-looked
	}
	if gets := store.Count(archivetest.OpGet, ""); api.n.Load() != 1 || gets != 1 {
		t.Errorf("%d calls to Secrets Manager and %d reads of the archive: %v", api.n.Load(), gets, store.Calls())
	}
	if heads := store.Count(archivetest.OpHead, ""); heads != 1 {
		t.Errorf("%d HEADs: %v", heads, store.Calls())
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
