package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wormlog/wormlog/archive"
)

// input is one thing to read entries from.
type input struct {
	name  string // as given; "standard input" for "-"
	stdin bool
	size  int64 // 0 if it is not known
}

// position is a line of an input.
type position struct {
	input string
	line  uint64
}

func (p position) String() string { return fmt.Sprintf("%s:%d", p.input, p.line) }

// inputs looks at all inputs before the first is read, so that a wrong name is noticed before anything is written.
func inputs(args []string, stdinIsTerminal bool) ([]input, error) {
	if len(args) == 0 {
		if stdinIsTerminal {
			return nil, withHint(errors.New("nothing to read"), "name a file of lines, or pipe them in; `wormlog write -h` shows how")
		}
		args = []string{"-"}
	}
	var list []input
	for _, name := range args {
		if name == "-" {
			list = append(list, input{name: "standard input", stdin: true})
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			return nil, fmt.Errorf("%s is a directory; name its files", name)
		}
		in := input{name: name}
		if info.Mode().IsRegular() {
			in.size = info.Size()
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			f.Close()
		}
		list = append(list, in)
	}
	return list, nil
}

func (a *app) openInput(in input) (io.ReadCloser, error) {
	if in.stdin {
		return io.NopCloser(a.stdin), nil
	}
	return os.Open(in.name)
}

// checkStrictly reads everything once and refuses it at the first line that would not be kept as JSON.
func (a *app) checkStrictly(list []input) error {
	for _, in := range list {
		if in.size == 0 && in.stdin {
			return withHint(errors.New("--strict looks at everything before anything is written, and standard input can be read only once"), "write it to a file first")
		}
		if err := a.checkInput(in); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) checkInput(in input) error {
	f, err := a.openInput(in)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := newLineReader(f, archive.MaxPayloadBytes)
	for {
		line, err := lines.next()
		if err == io.EOF {
			return nil
		}
		if err == nil && !blank(line) {
			err = archive.CheckData(line)
		}
		if err != nil {
			return withHint(fmt.Errorf("%s: %w; nothing was written", position{in.name, max(lines.n, 1)}, err),
				"without --strict such a line is kept as base64, byte for byte")
		}
	}
}

// totalSize is the size of all inputs, or -1 if one is not known.
func totalSize(list []input) int64 {
	var sum int64
	for _, in := range list {
		if in.size == 0 && in.stdin {
			return -1
		}
		sum += in.size
	}
	return cmp.Or(sum, -1)
}
