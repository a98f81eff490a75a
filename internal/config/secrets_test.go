package config

import "testing"

func TestSecretNames(t *testing.T) {
	for origin, want := range map[string]string{
		"example.com/payments-audit": "wormlog/example.com/payments-audit/authority",
		"a:b~c/":                     "wormlog/a-b-c/authority",
	} {
		if got := secretName(origin, "authority"); got != want {
			t.Errorf("secretName(%q) = %q, want %q", origin, got, want)
		}
	}
}
