package s3lock

import "testing"

// Permissions can change, so what is known of holds is asked again after a while.
func TestHoldMemoryFades(t *testing.T) {
	var m holdMemory
	if _, known := m.recall("segments/a"); known {
		t.Error("known before it was learnt")
	}
	m.learn("segments/a", true)
	m.learn("control/verifier/segments/a", false)
	for key, want := range map[string]bool{"segments/b": true, "control/verifier/manifests/b": false} {
		if readable, known := m.recall(key); !known || readable != want {
			t.Errorf("%s: readable %v, known %v", key, readable, known)
		}
	}
	if _, known := m.recall("control/authority/segments/a"); known {
		t.Error("one role's part says nothing of another's")
	}
	for range holdUses {
		m.recall("segments/b")
	}
	if _, known := m.recall("segments/b"); known {
		t.Error("known for ever")
	}
}
