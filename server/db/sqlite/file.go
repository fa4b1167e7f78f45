package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/clawless/clawless/server/db/schema"
)

// inspect looks at an existing file before anything could change it. With the folder to ourselves and no log beside the file, SQLite need not even make its helper files.
func inspect(ctx context.Context, path string, alone bool) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return fileError(path, err)
	}
	mode := "ro"
	if _, err := os.Stat(path + "-wal"); alone && errors.Is(err, os.ErrNotExist) {
		mode = "ro&immutable=1"
	}
	handle := openHandle(path, mode, 1, readerPragmas)
	defer handle.Close()
	if _, err := schema.Version(ctx, handle, schema.SQLite); err != nil {
		return fileError(path, err)
	}
	return nil
}

// folderError says what to do about a data folder that cannot be used.
func folderError(dir string, err error) error {
	var held *heldError
	switch {
	case errors.As(err, &held):
		return fmt.Errorf("the data folder %s is in use by %w; stop it first, or start this one with a data folder of its own", dir, held)
	case errors.Is(err, os.ErrPermission), isReadOnly(err):
		return fmt.Errorf("the data folder %s cannot be written: %w; change its owner or permissions, or choose another folder", dir, err)
	}
	return fmt.Errorf("the data folder %s cannot be used: %w", dir, err)
}

// fileError says what to do about a database file that cannot be used.
func fileError(path string, err error) error {
	switch Primary(err) {
	case 0:
		return fmt.Errorf("%s: %w", path, err)
	case NotADB:
		return fmt.Errorf("%s is not a SQLite database; it was left untouched: move it away, or choose another data folder", path)
	case Corrupt:
		return fmt.Errorf("%s is damaged: %w; restore a backup", path, err)
	case ReadOnly, CantOpen:
		return fmt.Errorf("%s cannot be opened for writing: %w; change the owner or permissions of the file and its folder", path, err)
	case Busy, Locked:
		return fmt.Errorf("%s is locked by another program; close it and start again", path)
	case Full:
		return fmt.Errorf("the disk that holds %s is full; free some space and start again", path)
	}
	return fmt.Errorf("%s cannot be opened: %w", path, err)
}
