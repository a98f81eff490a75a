package archive

import (
	"time"

	"github.com/wormlog/wormlog/keys"
)

// KeyActs returns since when acts in force say that the key is retired, and since when that it is compromised, itself or by
// the authority that vouched for it; a zero time: they do not say so.
func (r *Reader) KeyActs(id keys.ID) (retired, compromised time.Time) {
	return r.v.acts.retired[id], r.v.acts.compromised[id]
}

// ActsUnread says why not all acts are known, nil if they are: something could not be read. What [Reader.KeyActs] does not
// say may be so all the same.
func (r *Reader) ActsUnread() error {
	for _, f := range r.v.hidden {
		if f.Verdict == NotChecked {
			return &FindingError{f}
		}
	}
	return nil
}
