package keys

import (
	"encoding/base64"
	"encoding/hex"
	"testing"
)

// The answers come from Python's hashlib and hmac and from openssl pkeyutl, not from this package.
const (
	vectorLine = `{"format":"wormlog/v1-draft","log_id":"abababababababababababababababababababababababababababababababab",` +
		`"role":"writer","streams":"payments.*","entry_algorithm":"hmac-sha256",` +
		`"public_key":"MCowBQYDK2VwAyEAKay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc=",` +
		`"hmac_commitment":"1ae7981ea0e203c81847306ed7d25644ec31bbbd9bc63fc13713af897d9a7ceb","source":{"provider":"test"}}`
	vectorKeyID       = ID("8740b70e70cf503e49688faf65ba23d2")
	vectorAuthorityID = ID("d00cbabc39f9eebfa930e702d1be5705")
	vectorStreamKeyID = ID("60b06d4cc18ae7661107b6fae8952bdf")
	vectorSignature   = "aPqX/n9DwsB8TmoY9KopCru4NQB+Zu06uImmfMmoAbHTMfkM0114sw4wfxut1PyP15A6eywjbNetycxLqJmGBw=="
	vectorEntry       = `{"stream":"x","data":1}`
	vectorMAC         = "c7c5f6301772c6a31199ae14b315edc574d52648d7eaa5cf789554162b98b6d2"
	vectorEntryEd     = "OeIHMc8ZgLeOSlHObZmtww2DyIRmCtDwwgNCKZ980qjS+Fe7BPHNV1vlbpmelhPOJb+fgHwGY3Me9z7jhCfaDQ=="
)

func TestKnownAnswerRecord(t *testing.T) {
	r := vectorRecord()
	line, err := r.Line()
	if err != nil {
		t.Fatal(err)
	}
	if string(line) != vectorLine {
		t.Errorf("line 1\n got %s\nwant %s", line, vectorLine)
	}
	authority := Authority{Name: "online", Algorithm: AlgorithmEd25519, PublicKey: NewPublicKey(vectorPublic)}
	if authority.ID() != vectorAuthorityID {
		t.Errorf("authority key ID %s, want %s", authority.ID(), vectorAuthorityID)
	}
	if id := StreamKeyID(NewPublicKey(vectorPublic)); id != vectorStreamKeyID {
		t.Errorf("stream key ID %s, want %s", id, vectorStreamKeyID)
	}
	stored, id, err := SignRecord(r, NewSigner(authority.ID(), vectorPrivate))
	if err != nil {
		t.Fatal(err)
	}
	if id != vectorKeyID {
		t.Errorf("key ID %s, want %s", id, vectorKeyID)
	}
	want := vectorLine + "\n" + `{"signatures":[{"key_id":"` + string(vectorAuthorityID) + `","signature":"` + vectorSignature + `"}]}` + "\n"
	if string(stored) != want {
		t.Errorf("stored record\n got %s\nwant %s", stored, want)
	}
}

func TestKnownAnswerEntries(t *testing.T) {
	mac, err := NewHMACEntrySigner(vectorEntryKey, testLog, vectorKeyID, testStream)
	if err != nil {
		t.Fatal(err)
	}
	got, err := mac.AppendSignature(nil, []byte(vectorEntry))
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(got) != vectorMAC {
		t.Errorf("HMAC %x, want %s", got, vectorMAC)
	}
	got, err = NewEd25519EntrySigner(vectorPrivate, testLog, vectorKeyID).AppendSignature(nil, []byte(vectorEntry))
	if err != nil {
		t.Fatal(err)
	}
	if s := base64.StdEncoding.EncodeToString(got); s != vectorEntryEd {
		t.Errorf("Ed25519 signature %s, want %s", s, vectorEntryEd)
	}
}
