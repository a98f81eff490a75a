package archive

import (
	"fmt"
	"time"

	"github.com/wormlog/wormlog/keys"
)

// judgeKeyAge judges the use of retired and compromised keys. What counts is the store's own date of the manifest that
// commits, and for manifests signed by a stream key that of sequence 0.
func (v *verifier) judgeKeyAge(s *streamState, c *candidate) {
	signer, date := keys.ID(c.line.KeyID), c.date()
	if s.streamKey != nil {
		signer, date = s.opener, s.opened
	}
	dated := v.dated(c.object) && !c.redated
	v.judgeCompromised(s, c, signer, date, c.object.Key, c.version.VersionID)
	if dated {
		v.judgeRetired(signer, date, c.object.Key, c.version.VersionID)
	}
	for i := range c.manifest.Segments {
		ref := &c.manifest.Segments[i]
		for _, id := range ref.KeyIDs {
			v.judgeCompromised(s, c, id, c.date(), ref.Key, ref.VersionID)
			if dated {
				v.judgeRetired(id, c.date(), ref.Key, ref.VersionID)
			}
		}
	}
	s.countersigned(v, c)
}

func (v *verifier) judgeCompromised(s *streamState, c *candidate, id keys.ID, date time.Time, key, version string) {
	since, ok := v.acts.compromised[id]
	if !ok || v.dated(c.object) && date.Before(since) {
		return
	}
	s.suspects = append(s.suspects, suspect{
		sequence: c.manifest.Sequence, key: id,
		finding: Finding{
			Code: CodeKeyCompromised, Verdict: codes[CodeKeyCompromised], Key: key, VersionID: version,
			Detail: fmt.Sprintf("the key %s counts as compromised since %s, and this was archived %s; no countersignature covers it",
				id, since.UTC().Format(secondLayout), date.UTC().Format(secondLayout)),
		},
	})
}

// countersigned drops the suspects that a countersignature of this manifest covers.
func (s *streamState) countersigned(v *verifier, c *candidate) {
	kept := s.suspects[:0]
	for _, x := range s.suspects {
		h, ok := v.acts.countersigned[countersign{x.key, s.name.String(), c.manifest.Sequence}]
		if !ok || h != c.hash {
			kept = append(kept, x)
		}
	}
	s.suspects = kept
}

// judgeRetired reports a retired key that went on signing: for a day that is a cached bundle.
func (v *verifier) judgeRetired(id keys.ID, date time.Time, key, version string) {
	since, ok := v.acts.retired[id]
	if !ok || !date.After(since) {
		return
	}
	verdict := Information
	if date.Sub(since) > grace {
		verdict = Attention
	}
	v.findAs(verdict, CodeKeyRetired, key, version, "the key %s was retired %s and signed this %s",
		id, since.UTC().Format(secondLayout), date.UTC().Format(secondLayout))
}
