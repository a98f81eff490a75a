package devserver

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// record is one change of the evidence. Every change is a record, applied by
// the same function when it is made and when the journal is read again.
type record struct {
	Bucket     *bucketSettings `json:"bucket,omitempty"` // new, or new settings
	DropBucket string          `json:"drop_bucket,omitempty"`
	Version    *versionRecord  `json:"version,omitempty"`
	Remove     *removal        `json:"remove,omitempty"`
	Secret     *secret         `json:"secret,omitempty"` // whole
	DropSecret string          `json:"drop_secret,omitempty"`
}

// versionRecord adds a version as the latest of its key, or by its date, or
// replaces the one with its ID.
type versionRecord struct {
	Bucket  string   `json:"bucket"`
	ByTime  bool     `json:"by_time,omitempty"`
	Version *version `json:"version"`
}

// removal takes a version out for good.
type removal struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	ID     string `json:"id"`
}

// commit journals the change and then makes it. The caller holds s.mu.
func (s *Server) commit(r record) error {
	if err := s.journal.append(r); err != nil {
		return fmt.Errorf("devserver: journal: %w", err)
	}
	s.bodies.drop(s.apply(r)...)
	return nil
}

// apply makes the change and returns the versions whose bodies it left behind.
func (s *Server) apply(r record) (gone []*version) {
	switch {
	case r.Bucket != nil:
		b := s.buckets[r.Bucket.Name]
		if b == nil {
			b = &bucket{objects: map[string][]*version{}}
			s.buckets[r.Bucket.Name] = b
		}
		b.bucketSettings = *r.Bucket
	case r.DropBucket != "":
		gone = s.buckets[r.DropBucket].versionsUnder("")
		delete(s.buckets, r.DropBucket)
	case r.Version != nil:
		v := r.Version.Version
		old := s.buckets[r.Version.Bucket].insert(v, r.Version.ByTime)
		if old != nil && old.File != v.File {
			gone = append(gone, old)
		}
	case r.Remove != nil:
		if v := s.buckets[r.Remove.Bucket].remove(r.Remove.Key, r.Remove.ID); v != nil {
			gone = append(gone, v)
		}
	case r.Secret != nil:
		s.secrets[r.Secret.Name] = r.Secret
	case r.DropSecret != "":
		delete(s.secrets, r.DropSecret)
	}
	return gone
}

// load opens the directory and brings back what its journal holds.
func (s *Server) load(dir string) error {
	s.bodies.dir = filepath.Join(dir, "bodies")
	if err := os.MkdirAll(s.bodies.dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, "journal.ndjson"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := lockFile(file); err != nil {
		file.Close()
		return fmt.Errorf("another server uses it: %w", err)
	}
	if err := s.replay(file); err != nil {
		file.Close()
		return err
	}
	s.journal = &journal{file: file}
	return nil
}

// replay applies every whole line and cuts off a last one that a kill left
// unfinished: its request was never answered.
func (s *Server) replay(file *os.File) error {
	lines := bufio.NewReaderSize(file, 1<<20)
	for good := int64(0); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if err := file.Truncate(good); err != nil {
				return err
			}
			_, err = file.Seek(good, io.SeekStart)
			return err
		}
		if err != nil {
			return err
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("journal at byte %d: %w", good, err)
		}
		s.apply(r)
		good += int64(len(line))
	}
}

// journal is the append-only file of records. A nil journal keeps nothing.
type journal struct{ file *os.File }

func (j *journal) append(r record) error {
	if j == nil {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = j.file.Write(append(line, '\n')) // one write, so that a kill leaves all or a torn last line
	return err
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// bodies keeps the bytes of objects in memory, or in files if it has a
// directory. The files are on disk before the journal names them.
type bodies struct{ dir string }

// keep stores the bytes as the version's body.
func (b *bodies) keep(v *version, body []byte) error {
	if b.dir == "" {
		v.data = body
		return nil
	}
	name := make([]byte, 16)
	rand.Read(name)
	v.File = hex.EncodeToString(name)
	return os.WriteFile(filepath.Join(b.dir, v.File), body, 0o600)
}

// body is an opened body.
type body interface {
	io.ReadSeeker
	io.ReaderAt
	io.Closer
}

// memoryBody is a body that needs no closing.
type memoryBody struct{ *bytes.Reader }

func (memoryBody) Close() error { return nil }

func (b *bodies) open(v *version) (body, error) {
	if v.File == "" {
		return memoryBody{bytes.NewReader(v.data)}, nil
	}
	return os.Open(filepath.Join(b.dir, v.File))
}

// drop deletes bodies that no version needs any more. A file that stays behind
// costs space and nothing else.
func (b *bodies) drop(gone ...*version) {
	for _, v := range gone {
		if v.File != "" {
			os.Remove(filepath.Join(b.dir, v.File))
		}
	}
}
