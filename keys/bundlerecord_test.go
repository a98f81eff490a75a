package keys

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestBundleRecordIsTheOneItWasMadeWith(t *testing.T) {
	log := LogID(strings.Repeat("ab", 32))
	source := map[string]string{"provider": "test"}
	for _, alg := range []Algorithm{AlgorithmEd25519, AlgorithmHMACSHA256} {
		b, want, err := NewKey(log, RoleWriter, "main.*", alg, source, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Record("main.*", source, "")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Record() = %+v, %v, want %+v", alg, got, err, want)
		}
		if _, err := b.Record("other.*", source, ""); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: with other streams: %v, want ErrMismatch", alg, err)
		}
		if _, err := b.Record("main.*", map[string]string{"provider": "elsewhere"}, ""); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: with another source: %v, want ErrMismatch", alg, err)
		}
	}
}
