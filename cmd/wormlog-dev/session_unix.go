//go:build unix

package main

import "syscall"

// endSignal asks a server to end.
const endSignal = syscall.SIGTERM

// ownSession keeps the terminal's signals from a server in the background.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
