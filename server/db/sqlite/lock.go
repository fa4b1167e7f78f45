package sqlite

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// fileLock keeps a second server away from the data folder.
type fileLock struct{ file *os.File }

// heldError says who has the lock.
type heldError struct{ owner string }

// Error names the owner.
func (e *heldError) Error() string { return e.owner }

// lockFolder takes the lock and writes down who did. The file itself stays: removing it would let two servers lock two files of the same name.
func lockFolder(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	held, err := tryLock(f)
	if err == nil && held {
		err = &heldError{owner: ownerOf(f)}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "process %d\n", os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &fileLock{file: f}, nil
}

func ownerOf(f *os.File) string {
	text, _ := io.ReadAll(io.LimitReader(f, 64))
	if owner := strings.TrimSpace(string(text)); owner != "" {
		return "another clawless (" + owner + ")"
	}
	return "another clawless"
}

// release closes the file, which drops the lock.
func (l *fileLock) release() error { return l.file.Close() }
