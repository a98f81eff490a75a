//go:build unix

package devserver

import (
	"os"
	"syscall"
	"time"
)

// lockFile takes the file for this process until it ends. It waits half a second
// for a server that is about to end: its address is free before its files are.
func lockFile(f *os.File) error {
	var err error
	for range 25 {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}
