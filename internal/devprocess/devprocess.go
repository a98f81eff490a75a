// Package devprocess runs wormlog-dev as a process of its own, for measurements in which it must not share a runtime with
// what is measured.
package devprocess

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Start starts wormlog-dev of the folder bin on disk under dir and returns the environment in which wormlog finds it: this
// process's own, and what wormlog-dev prints. stop ends it.
func Start(bin, dir string) (env []string, stop func() error, err error) {
	dev := exec.Command(filepath.Join(bin, "wormlog-dev"), "--print-env", "--dir", dir)
	dev.Stderr = os.Stderr
	out, err := dev.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("starting wormlog-dev: %w", err)
	}
	env = os.Environ()
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
			name, value, _ := strings.Cut(v, "=")
			env = append(env, name+"="+strings.Trim(value, `'"`))
		}
	}
	return env, func() error {
		c := exec.Command(filepath.Join(bin, "wormlog-dev"), "stop")
		c.Env, c.Stderr = env, os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("stopping wormlog-dev: %w", err)
		}
		return nil
	}, nil
}
