package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/klauspost/compress/zstd"
	"github.com/oklog/ulid/v2"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// forgeWithoutKey signs with a key of the attacker's own, in the name of the writer's.
func forgeWithoutKey(ctx context.Context, a *attacker) error {
	l, err := archive.OpenLog(ctx, a.store, "")
	if err != nil {
		return err
	}
	writer, err := a.writerKey(ctx, l)
	if err != nil {
		return err
	}
	_, own, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	return a.forge(ctx, keys.NewSigner(writer, own))
}

// forgeWithWrongRole has the log's administrators make a key for the verifier, as they would, and then uses it to write.
func forgeWithWrongRole(ctx context.Context, a *attacker) error {
	l, err := archive.OpenLog(ctx, a.store, "")
	if err != nil {
		return err
	}
	online, err := a.secrets().LoadAuthority(ctx, "wormlog/dev/authority")
	if err != nil {
		return err
	}
	bundle, record, err := keys.NewKey(l.ID, keys.RoleVerifier, "verifier.*", keys.AlgorithmEd25519, map[string]string{"provider": "demo"}, "")
	if err != nil {
		return err
	}
	object, id, err := keys.SignRecord(record, online.Signer())
	if err != nil {
		return err
	}
	if _, err := l.CreateRecord(ctx, a.store, id, object); err != nil {
		return err
	}
	stolen, err := bundle.SigningKey(record)
	if err != nil {
		return err
	}
	return a.forge(ctx, stolen.Signer())
}

func (a *attacker) secrets() secretsmanager.Store {
	return secretsmanager.Store{API: sm.New(sm.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(a.server.URL()),
		Credentials: credentials.NewStaticCredentialsProvider(devserver.AccessKeyID, devserver.SecretAccessKey, ""),
	})}
}

// writerKey is the ID of the writer's key. The other record is that of the key for acts.
func (a *attacker) writerKey(ctx context.Context, l *archive.Log) (keys.ID, error) {
	for v, err := range a.store.Versions(ctx, "keys/", "") {
		if err != nil {
			return "", err
		}
		id := keys.ID(strings.TrimSuffix(strings.TrimPrefix(v.Key, "keys/"), ".json"))
		r, err := l.Record(ctx, a.store, id)
		if err != nil {
			return "", err
		}
		if r.Role == keys.RoleWriter {
			return id, nil
		}
	}
	return "", fmt.Errorf("there is no key record of a writer")
}

// forge writes a segment with an entry that never was, and a manifest that commits it, in a new stream of the writer's:
// create-only, locked, and right in everything but who signed.
func (a *attacker) forge(ctx context.Context, signer keys.Signer) error {
	now, err := a.store.Now(ctx)
	if err != nil {
		return err
	}
	l, err := archive.OpenLog(ctx, a.store, "")
	if err != nil {
		return err
	}
	name := archive.StreamName{Writer: "main", ID: ulid.MustNew(ulid.Timestamp(now), rand.Reader)}
	until := archive.Retain(now, l.Retention.Days)
	segment, err := a.forgeSegment(ctx, name, now, until, signer.KeyID())
	if err != nil {
		return err
	}
	manifest, err := archive.SignManifest(&archive.Manifest{
		LogID: l.ID, Stream: name.String(), SealedAt: archive.Instant{Time: now}, Software: "wormlog", Open: &archive.Open{Liveness: "none"},
		Segments: []archive.SegmentRef{segment}, Tree: archive.TreeState{Size: 1, Range: segment.Range}, Final: true,
	}, signer)
	if err != nil {
		return err
	}
	if _, err := a.create(ctx, name.ManifestKey(0), manifest, until.Add(30*24*time.Hour)); err != nil {
		return err
	}
	a.say("%-48s S3: 200, twice", "PutObject of a forged segment and its manifest")
	return nil
}

func (a *attacker) forgeSegment(ctx context.Context, name archive.StreamName, now, until time.Time, key keys.ID) (archive.SegmentRef, error) {
	at := archive.Instant{Time: now}
	line := fmt.Sprintf(`{"key_id":"%s","signature":"%s","entry":{"stream":"%s","index":0,"id":"forged-1","timestamp":"%s","type":"entry",`+
		`"data":{"eventName":"ConsoleLogin","userIdentity":{"userName":"somebody-else"}}}}`, key, base64.StdEncoding.EncodeToString(make([]byte, 32)), name, at)
	b, err := compress([]byte(line + "\n"))
	if err != nil {
		return archive.SegmentRef{}, err
	}
	ref := archive.SegmentRef{
		Key: name.SegmentKey(0, now), Bytes: uint64(len(b)), SHA256: sha256.Sum256(b), RawBytes: uint64(len(line) + 1), Count: 1,
		FirstTimestamp: at, LastTimestamp: at, KeyIDs: []keys.ID{key}, RetainUntil: archive.Second{Time: until},
		Range: []archive.Hash{sha256.Sum256(append([]byte{0}, line...))}, // RFC 6962, 2.1
	}
	ref.VersionID, err = a.create(ctx, ref.Key, b, until)
	return ref, err
}

func (a *attacker) create(ctx context.Context, key string, b []byte, until time.Time) (string, error) {
	made, err := a.store.Create(ctx, key, b, archive.CreateOptions{RetainUntil: until, SHA256: sha256.Sum256(b)})
	return made.VersionID, err
}

// content reads a segment's lines.
func (a *attacker) content(ctx context.Context, v archive.Version) ([]byte, error) {
	b, _, err := a.store.Get(ctx, v.Key, v.VersionID, archive.MaxSegmentBytes)
	if err != nil {
		return nil, err
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(b, nil)
}

func compress(b []byte) ([]byte, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return e.EncodeAll(b, nil), nil
}
