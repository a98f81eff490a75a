package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const (
	receiptLine   = `{"format":"wormlog/v1-draft","receipts":[]}` + "\n"
	signatureLine = `{"signatures":[{"key_id":"k","signature":"s"}]}` + "\n"
)

// A crash can cut off the last receipt anywhere; what the next run appends is read all the same.
func TestReceiptsBehindOneThatWasCutOff(t *testing.T) {
	one := receiptLine + signatureLine
	for cut := range len(one) + 1 {
		path := filepath.Join(t.TempDir(), "receipts")
		if err := os.WriteFile(path, []byte(one+one[:cut]), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := openReceipts(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(one + one); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := 3
		if cut >= len(one)-1 { // nothing of it is lost but perhaps its newline
			want = 4
		}
		parts, _, err := splitReceipts(b)
		if err != nil || len(parts) != want || slices.ContainsFunc(parts, func(p []byte) bool { return string(p) != one }) {
			t.Errorf("cut off after %d bytes: %q, %v", cut, parts, err)
		}
	}
}

// What is left out is counted, at the end and between others.
func TestSplitReceiptsCountsWhatIsCutOff(t *testing.T) {
	one := receiptLine + signatureLine
	for cut := range len(one) {
		want := uint64(min(cut, 1))
		if parts, n, err := splitReceipts([]byte(one + one[:cut])); err != nil || len(parts) != 1 || n != want {
			t.Errorf("after %d bytes: %d receipts, %d cut off, %v", cut, len(parts), n, err)
		}
	}
	if parts, n, err := splitReceipts([]byte(receiptLine + one + receiptLine + "{\"sig\n" + one)); err != nil || len(parts) != 2 || n != 2 {
		t.Errorf("between others: %d receipts, %d cut off, %v", len(parts), n, err)
	}
}

func TestSplitReceiptsRefusesOtherFiles(t *testing.T) {
	for _, text := range []string{"hello\n", receiptLine + "hello\n", signatureLine, receiptLine + signatureLine + signatureLine} {
		if parts, _, err := splitReceipts([]byte(text)); err == nil {
			t.Errorf("%q was taken for %d receipts", text, len(parts))
		}
	}
}
