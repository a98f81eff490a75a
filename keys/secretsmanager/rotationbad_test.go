package secretsmanager_test

import (
	"strings"
	"testing"
)

// oneSentence fails the test if an error is more than one line or quotes a secret.
func oneSentence(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if s := err.Error(); strings.Contains(s, "\n") || strings.Contains(s, "_key\":") {
		t.Errorf("%q", s)
	}
}
