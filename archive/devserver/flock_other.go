//go:build !unix

package devserver

import "os"

// lockFile takes nothing here: two servers on one directory are not noticed.
func lockFile(*os.File) error { return nil }
