// Package files keeps text files of end users and tenants, apart from each other and within quotas, and is the built-in tools file_read, file_write and file_list.
package files

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Limits are what an owner may keep.
type Limits struct {
	FileBytes  int64 // of one file; zero takes DefaultFileBytes
	OwnerBytes int64 // of all files of one owner; zero takes DefaultOwnerBytes
	OwnerFiles int   // zero takes DefaultOwnerFiles
	// Quota returns what stands instead of OwnerBytes for the owners of a tenant, or a negative number where the tenant sets nothing. It may be nil.
	Quota func(ctx context.Context, tenantID string) (int64, error)
}

// The limits of a store that sets none.
const (
	DefaultFileBytes  = 1 << 20
	DefaultOwnerBytes = 100 << 20
	DefaultOwnerFiles = 1000
)

// Store keeps files in dir/<tenant>/<owner>/<path>, where the owner is a hash of the end user's id. Nothing that a caller passes leads out of an owner's folder. A write
// is whole or not at all, and the quotas hold while several go on. It is safe for many goroutines of one process; two processes on one dir could exceed a quota together.
type Store struct {
	dir    string
	limits Limits
	locks  locks
}

// New returns the store of a folder, which is made when the first file is written.
func New(dir string, l Limits) *Store {
	l.FileBytes, l.OwnerBytes, l.OwnerFiles = cmp.Or(l.FileBytes, DefaultFileBytes), cmp.Or(l.OwnerBytes, DefaultOwnerBytes), cmp.Or(l.OwnerFiles, DefaultOwnerFiles)
	return &Store{dir: dir, limits: l}
}

// Info describes a file.
type Info struct {
	Path     string
	Bytes    int64
	Modified time.Time
}

// Usage is what an owner or a tenant keeps.
type Usage struct {
	Bytes int64
	Files int
}

// The errors of a store, for errors.Is. Their texts are for the model.
var (
	ErrNotFound = errors.New("there is no such file")
	ErrExists   = errors.New("the file is there already; write it with mode overwrite or append")
	ErrFolder   = errors.New("the path is that of a folder, or leads through a file")
	ErrTooLarge = errors.New("the file would be too large")
	ErrQuota    = errors.New("there is no room left for this file")
)

// tenantOwner is the folder of the files that belong to no end user. Hashes have no such name.
const tenantOwner = "_tenant"

var tenantName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// folder is where an owner's files are, below dir.
func folder(tenantID, user string) (string, error) {
	if !tenantName.MatchString(tenantID) {
		return "", errors.New("this is no id of a tenant")
	}
	if user == "" {
		return tenantID + "/" + tenantOwner, nil
	}
	sum := sha256.Sum256([]byte(tenantID + "\x00" + user))
	return tenantID + "/" + hex.EncodeToString(sum[:20]), nil
}

// open returns the root of an owner's folder. ErrNotFound says that there is none, unless it is to be made first.
func (s *Store) open(owner string, made bool) (*os.Root, error) {
	if made {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return nil, plain(err)
		}
	}
	base, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, plain(err)
	}
	defer func() { _ = base.Close() }()
	if made {
		if err := base.MkdirAll(owner, 0o700); err != nil {
			return nil, plain(err)
		}
	}
	root, err := base.OpenRoot(owner)
	return root, plain(err)
}

// plain takes the paths of this machine out of an error.
func plain(err error) error {
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return ErrNotFound
	case errors.As(err, &at):
		return fmt.Errorf("the files cannot be reached: %w", at.Err)
	case errors.As(err, &link):
		return fmt.Errorf("the files cannot be reached: %w", link.Err)
	}
	return err
}

// Read returns a file of an owner; user is empty for the tenant's own.
func (s *Store) Read(tenantID, user, name string) ([]byte, error) {
	if err := CheckPath(name); err != nil {
		return nil, err
	}
	owner, err := folder(tenantID, user)
	if err != nil {
		return nil, err
	}
	root, err := s.open(owner, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return s.read(root, name)
}

func (s *Store) read(root *os.Root, name string) ([]byte, error) {
	if _, err := regular(root, name); err != nil {
		return nil, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, ErrFolder
	}
	b, err := io.ReadAll(io.LimitReader(f, s.limits.FileBytes+1))
	if err != nil {
		return nil, plain(err)
	}
	if int64(len(b)) > s.limits.FileBytes {
		return nil, ErrTooLarge
	}
	return b, nil
}

// regular describes a file, and nothing else that may have its name: links and devices are not opened.
func regular(root *os.Root, name string) (fs.FileInfo, error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotFound
	case err != nil || !info.Mode().IsRegular():
		return nil, ErrFolder
	}
	return info, nil
}

// List returns the files of an owner, by path; with a folder only those in it. An owner without files has none.
func (s *Store) List(tenantID, user, inside string) ([]Info, error) {
	if inside != "" {
		if err := CheckPath(inside); err != nil {
			return nil, err
		}
	}
	owner, err := folder(tenantID, user)
	if err != nil {
		return nil, err
	}
	root, err := s.open(owner, false)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return walk(root, cmp.Or(inside, "."), nil)
}

// walk lists what is below a folder. A file that goes away meanwhile is left out; stale is told of what an interrupted write left, and may be nil.
func walk(root *os.Root, from string, stale func(name string)) ([]Info, error) {
	var out []Info
	err := fs.WalkDir(root.FS(), from, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(path.Base(name), temporary):
			if stale != nil {
				stale(name)
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		out = append(out, Info{Path: name, Bytes: info.Size(), Modified: info.ModTime()})
		return nil
	})
	slices.SortFunc(out, func(a, b Info) int { return cmp.Compare(a.Path, b.Path) })
	return out, plain(err)
}

func sum(list []Info) (u Usage) {
	for _, f := range list {
		u.Bytes += f.Bytes
		u.Files++
	}
	return u
}

// random is the rest of the name of a file that is being written.
func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}
