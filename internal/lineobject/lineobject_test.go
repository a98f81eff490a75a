package lineobject

import (
	"bytes"
	"errors"
	"testing"
)

type sample struct {
	Name  string            `json:"name"`
	Count uint64            `json:"count"`
	Final bool              `json:"final,omitzero"`
	Ext   map[string]string `json:"ext,omitempty"`
}

func TestUnmarshalAcceptsOnlyWhatMarshalWrites(t *testing.T) {
	v := sample{Name: "a<\u2028\x7f\"\\\n\x01é", Count: 7, Ext: map[string]string{"b": "1", "a": "2"}}
	b, err := Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	want := "{\"name\":\"a<\u2028\x7f\\\"\\\\\\n\\u0001é\",\"count\":7,\"ext\":{\"a\":\"2\",\"b\":\"1\"}}"
	if string(b) != want {
		t.Fatalf("Marshal\n got %s\nwant %s", b, want)
	}
	var got sample
	if err := Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"order":           `{"count":7,"name":"a"}`,
		"missing":         `{"name":"a"}`,
		"unknown":         `{"name":"a","count":7,"x":1}`,
		"repeated":        `{"name":"a","name":"a","count":7}`,
		"case":            `{"Name":"a","count":7}`,
		"space":           `{"name": "a","count":7}`,
		"leading space":   ` {"name":"a","count":7}`,
		"number 7.0":      `{"name":"a","count":7.0}`,
		"number 7e0":      `{"name":"a","count":7e0}`,
		"number 07":       `{"name":"a","count":07}`,
		"number -0":       `{"name":"a","count":-0}`,
		"escape":          `{"name":"\u0061","count":7}`,
		"slash escape":    `{"name":"\/","count":7}`,
		"upper case hex":  `{"name":"\u001F","count":7}`,
		"lone surrogate":  `{"name":"\ud800","count":7}`,
		"invalid UTF-8":   "{\"name\":\"\xff\",\"count\":7}",
		"false":           `{"name":"a","count":7,"final":false}`,
		"empty map":       `{"name":"a","count":7,"ext":{}}`,
		"null":            `{"name":"a","count":7,"ext":null}`,
		"null required":   `{"name":null,"count":7}`,
		"map order":       `{"name":"a","count":7,"ext":{"b":"1","a":"2"}}`,
		"trailing":        `{"name":"a","count":7}{}`,
		"trailing space":  `{"name":"a","count":7} `,
		"string for uint": `{"name":"a","count":"7"}`,
		"empty":           ``,
	} {
		if err := Unmarshal([]byte(bad), &got); !errors.Is(err, ErrNotCanonical) {
			t.Errorf("%s: %s: error %v, want ErrNotCanonical", name, bad, err)
		}
	}
}

func TestSplit(t *testing.T) {
	o := Object{Line: []byte(`{"a":1}`), KeyID: "00ff", Signature: []byte{1, 2, 3, 4}}
	b := o.Bytes()
	got, err := Split(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Line, o.Line) || got.KeyID != o.KeyID || !bytes.Equal(got.Signature, o.Signature) {
		t.Fatalf("Split(Bytes(%v)) = %v", o, got)
	}
	for name, bad := range map[string]string{
		"one line":       "{\"a\":1}\n",
		"no newline":     string(b[:len(b)-1]),
		"trailing":       string(b) + "\n",
		"CRLF":           string(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))),
		"no signature":   "{\"a\":1}\n{\"signatures\":[]}\n",
		"two signatures": "{\"a\":1}\n{\"signatures\":[{\"key_id\":\"a\",\"signature\":\"AQ==\"},{\"key_id\":\"b\",\"signature\":\"AQ==\"}]}\n",
		"unpadded":       "{\"a\":1}\n{\"signatures\":[{\"key_id\":\"a\",\"signature\":\"AQ\"}]}\n",
		"loose bits":     "{\"a\":1}\n{\"signatures\":[{\"key_id\":\"a\",\"signature\":\"AR==\"}]}\n",
		"escaped id":     "{\"a\":1}\n{\"signatures\":[{\"key_id\":\"\\\"\",\"signature\":\"AQ==\"}]}\n",
	} {
		if _, err := Split([]byte(bad)); !errors.Is(err, ErrNotCanonical) {
			t.Errorf("%s: error %v, want ErrNotCanonical", name, err)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(Object{Line: []byte(`{"a":1}`), KeyID: "00ff", Signature: []byte{1, 2, 3}}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Split(b)
		if err != nil {
			return
		}
		if !bytes.Equal(o.Bytes(), b) {
			t.Fatalf("Split accepted what Bytes does not write: %q", b)
		}
	})
}
