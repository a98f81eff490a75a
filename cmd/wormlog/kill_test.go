package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/archive/s3lock"
)

// The real binary is killed by SIGKILL while it writes, again and again, and started again with what was not
// acknowledged. Afterwards the archive verifies, every line was acknowledged, and every acknowledgement is for exactly
// one entry that is there.
func TestKill9WhileWriting(t *testing.T) {
	const rounds, lines = 6, 4000
	s := server(t)
	binary := buildWormlog(t)
	t.Chdir(t.TempDir())
	// Requests that take their time are more likely to be under way when the kill comes.
	s.Inject(devserver.Fault{Operation: "PutObject", Times: -1, Outcome: devserver.Slow, Delay: 5 * time.Millisecond})
	if status, stdout, stderr := command(t.Context(), "init"); status != 0 {
		t.Fatalf("init: %s%s", stdout, stderr)
	}
	todo := make([]string, lines)
	for i := range todo {
		todo[i] = fmt.Sprintf(`{"id":"line-%d","padding":"%s"}`, i, strings.Repeat("x", rand.IntN(200)))
	}
	killed := 0
	for round := range rounds + 1 {
		last := round == rounds
		receipts := fmt.Sprintf("receipts-%d", round)
		if writeUntilKilled(t, binary, receipts, todo, last) {
			killed++
		}
		acked := acknowledged(t, receipts)
		rest := todo[:0:0]
		for _, line := range todo {
			if !acked[idOf(line)] {
				rest = append(rest, line)
			}
		}
		t.Logf("round %d: %d of %d acknowledged", round, len(acked), len(todo))
		todo = rest
	}
	if len(todo) > 0 {
		t.Errorf("%d lines were never acknowledged", len(todo))
	}
	if killed == 0 {
		t.Error("no round was killed while it wrote, so nothing was tested")
	}
	checkReceipts(t, rounds+1)
}

func buildWormlog(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "wormlog")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/wormlog/wormlog/cmd/wormlog").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	return binary
}

// writeUntilKilled writes lines by a child process, which is killed some time after its first acknowledgement unless it is
// to live. It says whether the kill came before the end.
func writeUntilKilled(t *testing.T, binary, receipts string, lines []string, live bool) bool {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, "write", "--id-field", "id", "--batch-entries", "50", "--receipts", receipts)
	c.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if !live {
		// Most runs take longer than this; where one does not, it has ended in order.
		time.AfterFunc(time.Duration(50+rand.IntN(150))*time.Millisecond, func() { _ = c.Process.Kill() })
	}
	err := c.Wait()
	if err == nil {
		return false
	}
	var exit *exec.ExitError
	if live || !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("write: %v\n%s", err, said.String())
	}
	return true
}

// acknowledged reads the IDs that receipts name. A receipt that a kill has cut off was never handed out.
func acknowledged(t *testing.T, file string) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, item := range readReceipts(t, file) {
		if ids[item.ID] {
			t.Errorf("%s was acknowledged twice in one run", item.ID)
		}
		ids[item.ID] = true
	}
	return ids
}

type acknowledgement struct {
	stream string
	archive.ReceiptItem
}

func readReceipts(t *testing.T, file string) (items []acknowledgement) {
	t.Helper()
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // killed before it opened the file
	}
	if err != nil {
		t.Fatal(err)
	}
	parts, _, err := splitReceipts(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		r, _, err := archive.ParseReceipt(p)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, item := range r.Receipts {
			items = append(items, acknowledgement{r.Stream, item})
		}
	}
	return items
}

// checkReceipts verifies the archive together with all receipts, and counts what it holds.
func checkReceipts(t *testing.T, rounds int) {
	t.Helper()
	if status, stdout, stderr := command(t.Context(), "verify", "--require-hmac"); status != 0 {
		t.Fatalf("verify: status %d\n%s%s", status, stdout, stderr)
	}
	times := map[string]int{}
	for _, e := range allEntries(t) {
		times[e]++
	}
	for round := range rounds {
		file := fmt.Sprintf("receipts-%d", round)
		items := readReceipts(t, file)
		for _, item := range items {
			if n := times[fmt.Sprintf("%s %d %s", item.stream, item.Index, item.ID)]; n != 1 {
				t.Errorf("%s: %s is in the archive %d times", file, item.ID, n)
			}
		}
		if len(items) == 0 {
			continue
		}
		if status, stdout, stderr := command(t.Context(), "verify", "--receipts", file); status != 0 {
			t.Errorf("verify --receipts %s: status %d\n%s%s", file, status, stdout, stderr)
		}
	}
}

// allEntries returns stream, index and ID of every entry.
func allEntries(t *testing.T) (all []string) {
	t.Helper()
	store, err := s3lock.Open(t.Context(), s3lock.Config{Bucket: testBucket, Endpoint: os.Getenv("WORMLOG_ENDPOINT")})
	if err != nil {
		t.Fatal(err)
	}
	r, err := archive.OpenReader(t.Context(), archive.ReaderConfig{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range r.Entries(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %d %s", e.Stream, e.Index, e.ID))
	}
	return all
}

func idOf(line string) string { return topLevelID([]byte(line), "id") }
