//go:build !unix

package main

import (
	"os"
	"syscall"
)

// endSignal ends a server; there is no gentler way here.
var endSignal = os.Kill

func ownSession() *syscall.SysProcAttr { return nil }
