package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"
)

// syncTo leaves a directory as `aws s3 sync` does: the current version of every object.
func syncTo(ts *testscript.TestScript, s *scriptServer, dir string) {
	list, err := s.Raw().Versions(testBucket, "")
	ts.Check(err)
	seen := map[string]bool{}
	for _, v := range list {
		if seen[v.Key] || v.Marker {
			seen[v.Key] = true
			continue
		}
		seen[v.Key] = true
		b, err := s.Raw().Body(testBucket, v.Key, v.VersionID)
		ts.Check(err)
		writeFile(ts, filepath.Join(dir, v.Key), b)
	}
}

// copiesTo writes every verification copy to a file of a directory.
func copiesTo(ts *testscript.TestScript, s *scriptServer, dir string) {
	for _, name := range secretNames(ts, s) {
		_, id, ok := strings.Cut(name, "/verification/")
		if !ok {
			continue
		}
		value, err := secretValue(secretsOf(s.Server), name)
		ts.Check(err)
		writeFile(ts, filepath.Join(dir, id+".json"), []byte(value))
	}
}

func secretNames(ts *testscript.TestScript, s *scriptServer) (names []string) {
	list, err := secretsOf(s.Server).ListSecrets(context.Background(), &sm.ListSecretsInput{})
	ts.Check(err)
	for _, entry := range list.SecretList {
		names = append(names, *entry.Name)
	}
	return names
}

func writeFile(ts *testscript.TestScript, path string, b []byte) {
	path = ts.MkAbs(path)
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, b, 0o600))
}
