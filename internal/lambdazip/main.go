// Command lambdazip makes the ZIP file of a Lambda function from its executable, for `make lambda`: so that it needs no zip
// program, and that the same executable always makes the same file.
//
//	lambdazip OUT.zip EXECUTABLE
package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lambdazip:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: lambdazip OUT.zip EXECUTABLE")
	}
	executable, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	b, err := pack(executable)
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], b, 0o644)
}

// pack returns a ZIP file in which the executable is called bootstrap, as the runtime provided.al2023 wants it (Lambda
// Developer Guide, "Building a custom runtime").
func pack(executable []byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(executable); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}
