//go:build unix

package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"golang.org/x/sys/unix"
)

func runChild(t *testing.T, role, dir string, setup func(*syscall.SysProcAttr)) {
	t.Helper()
	cmd := child(t, role, dir)
	if setup != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
		setup(cmd.SysProcAttr)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// report turns what a child found into its exit code.
func report(problems ...error) int {
	if err := errors.Join(problems...); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func wants(what string, err error, code fault.Code) error {
	if !fault.Is(err, code) {
		return fmt.Errorf("%s: want %s, got %w", what, code, err)
	}
	return nil
}

// TestReadOnlyFolder runs as an ordinary user, because root may write everywhere.
func TestReadOnlyFolder(t *testing.T) {
	dir, err := os.MkdirTemp("", "readonly") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700); _ = os.RemoveAll(dir) })
	d, err := db.Open(context.Background(), db.Options{Dir: dir, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, d, "acme")
	err = d.Close()
	for name, mode := range map[string]os.FileMode{file(dir): 0o644, filepath.Join(dir, "clawless.lock"): 0o644, dir: 0o555} {
		err = errors.Join(err, os.Chmod(name, mode))
	}
	if err != nil {
		t.Fatal(err)
	}
	runChild(t, "readonly", dir, func(a *syscall.SysProcAttr) {
		if os.Getuid() == 0 {
			a.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		}
	})
}

func childReadOnly() int {
	dir := os.Getenv(childDirEnv)
	var problems []error
	for _, d := range []string{dir, filepath.Join(dir, "new")} {
		_, err := db.Open(context.Background(), db.Options{Dir: d, Migrate: true})
		if err == nil || !strings.Contains(err.Error(), "cannot be written") || !strings.Contains(err.Error(), "change its owner or permissions") || !strings.Contains(err.Error(), d) {
			problems = append(problems, fmt.Errorf("open %s: %w", d, err))
		}
	}
	return report(problems...)
}

// TestDiskError: after a failed write to the disk nothing more is written until a restart, and reading goes on.
func TestDiskError(t *testing.T) { runChild(t, "diskerror", t.TempDir(), nil) }

func childDiskError() int {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{Dir: os.Getenv(childDirEnv), Migrate: true})
	if err != nil {
		return report(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	var old unix.Rlimit
	if err := errors.Join(add(d, "before"), unix.Getrlimit(unix.RLIMIT_FSIZE, &old)); err != nil {
		return report(err)
	}
	limit := old
	limit.Cur = 1 << 20 // beyond it the system refuses to write, which SQLite sees as an error of the disk
	err = unix.Setrlimit(unix.RLIMIT_FSIZE, &limit)
	big := wants("the write that fails", add(d, strings.Repeat("x", 4<<20)), fault.StoreUnavailable)
	after := errors.Join(unix.Setrlimit(unix.RLIMIT_FSIZE, &old), wants("the next write, though the disk is well again", add(d, "after"), fault.StoreUnavailable), wants("Ready", d.Ready(ctx), fault.StoreUnavailable))
	var rows []string
	read := d.Read(ctx, func(q db.Querier) error { return tenantNames.Select(ctx, q, &rows, nil) })
	closed := d.Close()
	if len(rows) != 1 || rows[0] != "before" {
		read = errors.Join(read, fmt.Errorf("readers see %d rows", len(rows)))
	}
	again, restart := db.Open(ctx, db.Options{Dir: os.Getenv(childDirEnv), Migrate: true})
	if restart == nil {
		restart = errors.Join(add(again, "restarted"), again.Close())
	}
	return report(err, big, after, read, closed, restart)
}

// TestNoFileDescriptors: what was opened at the start is enough to go on when the process may open no more files.
func TestNoFileDescriptors(t *testing.T) { runChild(t, "nofiles", t.TempDir(), nil) }

func childNoFiles() int {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{Dir: os.Getenv(childDirEnv), Migrate: true})
	if err != nil {
		return report(err)
	}
	defer d.Close()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 100}); err != nil {
		return report(err)
	}
	var open []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		open = append(open, f)
	}
	var problems []error
	for n := range 50 {
		problems = append(problems, add(d, fmt.Sprintf("t%d", n)))
		held := make(chan struct{})
		all := make(chan error, 4)
		for range cap(all) { // more readers at once than one connection could serve
			go func() {
				all <- d.Read(ctx, func(q db.Querier) error {
					var rows []string
					<-held
					return tenantNames.Select(ctx, q, &rows, nil)
				})
			}()
		}
		close(held)
		for range cap(all) {
			problems = append(problems, <-all)
		}
	}
	for _, f := range open {
		_ = f.Close()
	}
	return report(problems...)
}
