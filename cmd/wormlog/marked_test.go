package main

import (
	"fmt"

	"github.com/wormlog/wormlog/archive/devserver"
	"github.com/wormlog/wormlog/internal/leaks"
	"github.com/wormlog/wormlog/keys"
)

// leaked says where a secret is in what was printed. Only a build with the tag markedkeys can tell.
func leaked(printed ...string) error {
	if keys.SeedMark == "" {
		return nil
	}
	for _, text := range printed {
		for _, f := range leaks.Find([]byte(text)) {
			return fmt.Errorf("a secret (%s) at byte %d of what was printed: %q", f.Spelling, f.At, text)
		}
	}
	return nil
}

// leakedTo says which object of the test's bucket holds a secret. What is gone cannot be looked at.
func leakedTo(s *devserver.Server) error {
	if keys.SeedMark == "" || !s.HasBucket(testBucket) {
		return nil
	}
	list, err := s.Raw().Versions(testBucket, "")
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.Marker {
			continue
		}
		b, err := s.Raw().Body(testBucket, v.Key, v.VersionID)
		if err != nil {
			return err
		}
		for _, f := range append(leaks.Find(b), leaks.Find(fmt.Append(nil, v))...) {
			return fmt.Errorf("object %s holds a secret (%s)", v.Key, f.Spelling)
		}
	}
	return nil
}
