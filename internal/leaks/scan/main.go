// Command scan looks for secrets of a marked build in files and folders, see package leaks. Its exit status is 0 if there
// are none, 1 if there are some and 2 if not everything could be read.
//
//	go run ./internal/leaks/scan FILE|FOLDER…
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/wormlog/wormlog/internal/leaks"
)

func main() {
	found, read, err := scan(os.Args[1:])
	if err == nil && read == 0 {
		err = errors.New("nothing was read, so nothing was found; name a file that holds something")
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "scan:", err)
		os.Exit(2)
	case found > 0:
		os.Exit(1)
	}
	fmt.Printf("no secret in %d bytes\n", read)
}

// scan prints what it finds and counts it, and the bytes that it read.
func scan(paths []string) (found, read int, err error) {
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			read += len(b)
			for _, f := range leaks.Find(b) {
				found++
				fmt.Printf("%s:%d: a secret (%s)\n", file, 1+bytes.Count(b[:min(f.At, len(b))], []byte("\n")), f.Spelling)
			}
			return nil
		})
		if err != nil {
			return found, read, err
		}
	}
	return found, read, nil
}
