package archive

import (
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// Attestation is the data of an attestation: a verification report, archived and signed as an entry of the verifier's
// control stream.
type Attestation struct {
	Level         Level             `json:"level"`
	SamplePercent uint64            `json:"sample_percent"`
	Started       Second            `json:"started"`  // by the store's clock
	Finished      Second            `json:"finished"` // by the store's clock
	HMAC          HMACState         `json:"hmac"`
	Verdict       Verdict           `json:"verdict"`
	Snapshot      bool              `json:"snapshot"` // heads lists every stream
	Log           TreeState         `json:"log"`      // the attestation log before this one
	Previous      *AttestationPlace `json:"previous,omitzero"`
	Streams       uint64            `json:"streams"`    // how many heads heads_root covers
	HeadsRoot     Hash              `json:"heads_root"` // RFC 6962 over the compact JSON of all heads, ascending by stream
	Heads         []Head            `json:"heads"`      // what changed since previous, or all
	Findings      []Finding         `json:"findings"`
}

// AttestationPlace names the attestation before.
type AttestationPlace struct {
	Stream string `json:"stream"`
	Index  uint64 `json:"index"`
	Leaf   Hash   `json:"leaf"`
}

// HeadState says how far a stream has come.
type HeadState string

// States of a stream.
const (
	StateOpen     HeadState = "open"
	StateFinal    HeadState = "final"
	StateDisposed HeadState = "disposed"
)

// Head is where a stream stands: its tree and its last manifest.
type Head struct {
	Stream   string    `json:"stream"`
	Size     uint64    `json:"size"`
	Root     Hash      `json:"root"`
	Manifest Hash      `json:"manifest"`
	State    HeadState `json:"state"`
}

// HeadsRoot is the RFC 6962 root over the compact JSON of heads, which must be ascending by stream.
func HeadsRoot(heads []Head) (Hash, error) {
	var r Range
	for i := range heads {
		b, err := lineobject.Marshal(heads[i])
		if err != nil {
			return Hash{}, err
		}
		r.Append(leafHash(b))
	}
	return r.Root(), nil
}

func checkHeads(heads []Head) error {
	for i, h := range heads {
		if _, err := ParseStreamName(h.Stream); err != nil {
			return err
		}
		if i > 0 && h.Stream <= heads[i-1].Stream {
			return errors.New("heads are not ascending by stream")
		}
		if err := checkIntegers(h.Size); err != nil {
			return err
		}
		switch h.State {
		case StateOpen, StateFinal, StateDisposed:
		default:
			return fmt.Errorf("the state %q is unknown", h.State)
		}
	}
	return nil
}

func checkFindings(findings []Finding) error {
	for i, f := range findings {
		if err := f.Code.check(); err != nil {
			return fmt.Errorf("finding %d: %w", i, err)
		}
		if !f.Verdict.known() && f.Verdict != Information || f.Verdict == Intact {
			return fmt.Errorf("finding %d: the verdict %q is none of a finding", i, f.Verdict)
		}
		if f.Entry != nil {
			if err := checkIntegers(*f.Entry); err != nil {
				return fmt.Errorf("finding %d: %w", i, err)
			}
		}
	}
	return nil
}

func (a *Attestation) check() error {
	if a.Heads == nil || a.Findings == nil || a.Log.Range == nil {
		return errors.New("heads, findings and log.range are lists, never null")
	}
	if a.SamplePercent > 100 || !a.Level.known() || !a.HMAC.known() || !a.Verdict.known() {
		return errors.New("level, sample_percent, hmac or verdict is unknown")
	}
	if err := checkIntegers(a.Log.Size, a.Streams); err != nil {
		return err
	}
	if _, err := NewRange(0, a.Log.Size, a.Log.Range); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if (a.Previous == nil) != (a.Log.Size == 0) {
		return errors.New("previous and log do not agree on whether this is the first attestation")
	}
	if p := a.Previous; p != nil {
		if _, err := ParseStreamName(p.Stream); err != nil {
			return err
		}
		if err := checkIntegers(p.Index); err != nil {
			return err
		}
	}
	if err := checkHeads(a.Heads); err != nil {
		return err
	}
	if err := checkFindings(a.Findings); err != nil {
		return err
	}
	if uint64(len(a.Heads)) > a.Streams {
		return errors.New("heads lists more streams than there are")
	}
	if a.Snapshot {
		root, err := HeadsRoot(a.Heads)
		if err != nil || uint64(len(a.Heads)) != a.Streams || root != a.HeadsRoot {
			return errors.New("a snapshot's heads do not give heads_root")
		}
	}
	return nil
}

// HeadFile pins the tail: heads written down outside the bucket, which a later run must find or extend.
type HeadFile struct {
	Format string `json:"format"`
	LogID  string `json:"log_id"`
	Taken  Second `json:"taken"` // by the store's clock
	Heads  []Head `json:"heads"` // ascending by stream
}

// FormatHeadFile returns h as one line of canonical JSON.
func FormatHeadFile(h HeadFile) ([]byte, error) {
	h.Format = Format
	if h.Heads == nil {
		h.Heads = []Head{}
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	b, err := lineobject.Marshal(h)
	return append(b, '\n'), err
}

// ParseHeadFile accepts exactly what FormatHeadFile writes. Errors wrap ErrMalformed or ErrUnknownFormat.
func ParseHeadFile(b []byte) (h HeadFile, err error) {
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return h, fmt.Errorf("%w: a head file is one line that ends in a newline", ErrMalformed)
	}
	b = b[:len(b)-1]
	if err := checkFormat(b); err != nil {
		return h, err
	}
	if err := lineobject.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := h.check(); err != nil {
		return h, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return h, nil
}

func (h *HeadFile) check() error {
	return errors.Join(keys.LogID(h.LogID).Valid(), checkHeads(h.Heads))
}
