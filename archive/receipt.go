package archive

import (
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// Durability says what a receipt promises.
type Durability string

const (
	// Archived: the entry is in a locked object, named by a committed manifest.
	Archived Durability = "archived"
	// Spooled: the entry is on the writer's local disk; it survives a crash of the process, not of the host.
	Spooled Durability = "spooled"
)

// Receipt is line 1 of a receipt: what a writer says it has taken in. It is signed by the record key, never by the
// stream key, so that it can be checked even if the stream's first manifest never arrived.
type Receipt struct {
	Format     string        `json:"format"`
	LogID      keys.LogID    `json:"log_id"`
	Stream     string        `json:"stream"`
	IssuedAt   Instant       `json:"issued_at"`
	Durability Durability    `json:"durability"`
	Receipts   []ReceiptItem `json:"receipts"`
}

// ReceiptItem names one entry.
type ReceiptItem struct {
	ID        string  `json:"id"`
	Index     uint64  `json:"index"`
	Timestamp Instant `json:"timestamp"`
	Leaf      Hash    `json:"leaf"`
}

// MaxReceiptBytes caps a receipt, both lines.
const MaxReceiptBytes = 16 << 20

// SignReceipt returns r as it is handed out: two lines.
func SignReceipt(r *Receipt, signer keys.Signer) ([]byte, error) {
	r.Format = Format
	if err := r.check(); err != nil {
		return nil, err
	}
	return signLine(keys.KindReceipt, r.LogID, signer, r)
}

// ParseReceipt parses a receipt strictly. The signature is returned, not judged.
func ParseReceipt(b []byte) (*Receipt, lineobject.Object, error) {
	if len(b) > MaxReceiptBytes {
		return nil, lineobject.Object{}, fmt.Errorf("%w: %d bytes, over %d", ErrMalformed, len(b), MaxReceiptBytes)
	}
	r := new(Receipt)
	o, err := parseLineObject(b, r)
	if err != nil {
		return nil, o, err
	}
	if err := r.check(); err != nil {
		return nil, o, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r, o, nil
}

func (r *Receipt) check() error {
	if err := r.LogID.Valid(); err != nil {
		return err
	}
	if _, err := ParseStreamName(r.Stream); err != nil {
		return err
	}
	if r.Durability != Archived && r.Durability != Spooled {
		return fmt.Errorf("the durability %q is neither archived nor spooled", r.Durability)
	}
	if len(r.Receipts) == 0 {
		return fmt.Errorf("receipts is empty")
	}
	for i, item := range r.Receipts {
		if err := checkName("id", item.ID); err != nil {
			return fmt.Errorf("receipt %d: %w", i, err)
		}
		if err := checkIntegers(item.Index); err != nil {
			return fmt.Errorf("receipt %d: %w", i, err)
		}
	}
	return nil
}

// checkName accepts what an entry's id and type may be: 1 to 128 printable ASCII characters without '"' and '\'.
func checkName(what, s string) error {
	if err := checkText(what, s, 128); err != nil {
		return err
	}
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			return fmt.Errorf("%s %q has a quotation mark or a backslash", what, s)
		}
	}
	return nil
}
