package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// Mode says what a write does with a file that is there.
type Mode string

// The modes.
const (
	Create    Mode = "create"    // fails
	Overwrite Mode = "overwrite" // replaces it
	Append    Mode = "append"    // adds to its end
)

// Write keeps a file of an owner and returns it with what the owner keeps then. Whoever reads the file at the same time reads the old one or the new one.
func (s *Store) Write(ctx context.Context, tenantID, user, name string, content []byte, mode Mode) (Info, Usage, error) {
	if err := CheckPath(name); err != nil {
		return Info{}, Usage{}, err
	}
	owner, err := folder(tenantID, user)
	if err != nil {
		return Info{}, Usage{}, err
	}
	if int64(len(content)) > s.limits.FileBytes {
		return Info{}, Usage{}, s.tooLarge(int64(len(content)))
	}
	quota, err := s.quota(ctx, tenantID)
	if err != nil {
		return Info{}, Usage{}, err
	}
	unlock := s.locks.owner(tenantID, owner)
	defer unlock()
	if err := ctx.Err(); err != nil {
		return Info{}, Usage{}, err
	}
	root, err := s.open(owner, true)
	if err != nil {
		return Info{}, Usage{}, err
	}
	defer func() { _ = root.Close() }()
	return s.write(root, name, content, mode, quota)
}

func (s *Store) tooLarge(size int64) error {
	return fmt.Errorf("%w: %d bytes, of at most %d", ErrTooLarge, size, s.limits.FileBytes)
}

// quota is what an owner may keep, in bytes.
func (s *Store) quota(ctx context.Context, tenantID string) (int64, error) {
	if s.limits.Quota == nil {
		return s.limits.OwnerBytes, nil
	}
	n, err := s.limits.Quota(ctx, tenantID)
	if err != nil {
		return 0, fmt.Errorf("how much room there is cannot be told: %w", err)
	}
	if n < 0 {
		n = s.limits.OwnerBytes
	}
	return n, nil
}

// write is done by one goroutine at a time for an owner.
func (s *Store) write(root *os.Root, name string, content []byte, mode Mode, quota int64) (Info, Usage, error) {
	old, err := regular(root, name)
	isNew := errors.Is(err, ErrNotFound)
	switch {
	case err != nil && !isNew:
		return Info{}, Usage{}, err
	case !isNew && mode == Create:
		return Info{}, Usage{}, ErrExists
	case !isNew && mode == Append:
		before, err := s.read(root, name)
		if err != nil {
			return Info{}, Usage{}, err
		}
		content = append(before, content...)
	}
	if int64(len(content)) > s.limits.FileBytes {
		return Info{}, Usage{}, s.tooLarge(int64(len(content)))
	}
	list, err := walk(root, ".", func(left string) { _ = root.Remove(left) }) // nobody else is writing: what is there was left by a process that ended
	if err != nil {
		return Info{}, Usage{}, err
	}
	usage := sum(list)
	if isNew {
		usage.Files++
	} else {
		usage.Bytes -= old.Size()
	}
	usage.Bytes += int64(len(content))
	switch {
	case usage.Files > s.limits.OwnerFiles:
		return Info{}, Usage{}, fmt.Errorf("%w: there may be %d files", ErrQuota, s.limits.OwnerFiles)
	case usage.Bytes > quota && (isNew || int64(len(content)) > old.Size()): // who is over a quota that shrank may still make files smaller
		return Info{}, Usage{}, fmt.Errorf("%w: all files together may have %d bytes, and with this one they would have %d", ErrQuota, quota, usage.Bytes)
	}
	info, err := put(root, name, content)
	return info, usage, err
}

// put writes a file beside its place and moves it there.
func put(root *os.Root, name string, content []byte) (Info, error) {
	in := path.Dir(name)
	if err := root.MkdirAll(in, 0o700); err != nil {
		return Info{}, ErrFolder
	}
	beside := path.Join(in, temporary+random())
	if err := fill(root, beside, content); err != nil {
		_ = root.Remove(beside)
		return Info{}, plain(err)
	}
	if err := root.Rename(beside, name); err != nil {
		_ = root.Remove(beside)
		return Info{}, plain(err)
	}
	if d, err := root.Open(in); err == nil {
		_ = d.Sync() // so that the name outlives a loss of power too; some file systems cannot
		_ = d.Close()
	}
	info, err := root.Lstat(name)
	if err != nil {
		return Info{}, plain(err)
	}
	return Info{Path: name, Bytes: info.Size(), Modified: info.ModTime()}, nil
}

func fill(root *os.Root, name string, content []byte) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Usage counts what an owner keeps; user is empty for the tenant's own files.
func (s *Store) Usage(tenantID, user string) (Usage, error) {
	list, err := s.List(tenantID, user, "")
	return sum(list), err
}

// TenantUsage counts what a tenant and its end users keep together.
func (s *Store) TenantUsage(tenantID string) (Usage, error) {
	if !tenantName.MatchString(tenantID) {
		return Usage{}, errors.New("this is no id of a tenant")
	}
	return s.count(tenantID)
}

// count adds up what is in a folder below dir; what is not there is nothing.
func (s *Store) count(in string) (Usage, error) {
	root, err := s.open(in, false)
	if errors.Is(err, ErrNotFound) {
		return Usage{}, nil
	}
	if err != nil {
		return Usage{}, err
	}
	defer func() { _ = root.Close() }()
	list, err := walk(root, ".", nil)
	return sum(list), err
}

// Erase removes the files of an owner for good and says what they were; user is empty for the tenant's own.
func (s *Store) Erase(tenantID, user string) (Usage, error) {
	owner, err := folder(tenantID, user)
	if err != nil {
		return Usage{}, err
	}
	unlock := s.locks.owner(tenantID, owner)
	defer unlock()
	return s.erase(owner)
}

// EraseTenant removes the files of a tenant and of all its end users for good and says what they were.
func (s *Store) EraseTenant(tenantID string) (Usage, error) {
	if !tenantName.MatchString(tenantID) {
		return Usage{}, errors.New("this is no id of a tenant")
	}
	unlock := s.locks.tenant(tenantID)
	defer unlock()
	return s.erase(tenantID)
}

func (s *Store) erase(in string) (Usage, error) {
	u, err := s.count(in)
	if err != nil {
		return Usage{}, err
	}
	base, err := os.OpenRoot(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Usage{}, nil
	}
	if err != nil {
		return Usage{}, plain(err)
	}
	defer func() { _ = base.Close() }()
	return u, plain(base.RemoveAll(in))
}
