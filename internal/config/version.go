package config

import (
	"runtime/debug"

	"github.com/wormlog/wormlog/keys"
)

// Version is the module's version, or the commit it was built from, or a warning where part of every key is known.
func Version() string {
	if keys.SeedMark != "" {
		return "for tests, with marked keys: not for production"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel " + s.Value[:12]
		}
	}
	return "devel"
}
