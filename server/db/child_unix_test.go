//go:build unix

package db_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
)

const (
	childEnv    = "CLAWLESS_DB_TEST_CHILD"
	childDirEnv = "CLAWLESS_DB_TEST_DIR"
)

// children are what the test binary does when a test starts it as a process of its own; the result is the exit code.
var children = map[string]func() int{"write": childWrite, "open": childOpen, "readonly": childReadOnly, "diskerror": childDiskError, "nofiles": childNoFiles}

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		os.Exit(children[role]())
	}
	os.Exit(m.Run())
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" {
		self = "/proc/self/exe" // another user may not enter the folder of the binary
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+role, childDirEnv+"="+dir)
	return cmd
}

// childOpen opens the database and says how that went.
func childOpen() int {
	d, err := db.Open(context.Background(), db.Options{Dir: os.Getenv(childDirEnv), Migrate: true})
	if err != nil {
		fmt.Println(err)
		return 3
	}
	_ = d.Close()
	return 0
}

// childWrite adds tenants as fast as it can from several goroutines, and prints the name of each only after its Write has returned.
func childWrite() int {
	d, err := db.Open(context.Background(), db.Options{Dir: os.Getenv(childDirEnv), Migrate: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var all sync.WaitGroup
	for writer := range 16 {
		all.Go(func() {
			for n := range 1_000_000 {
				name := fmt.Sprintf("p%dw%dn%d", os.Getpid(), writer, n)
				if err := add(d, name); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Println(name)
			}
		})
	}
	all.Wait()
	return 0
}

// TestKilledProcessLosesNothing kills a writing process without warning, several times on one file: every write it has acknowledged is there afterwards.
func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []string
	for range 4 {
		cmd := child(t, "write", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged = append(acknowledged, lines.Text())
			if n == 300 {
				_ = cmd.Process.Kill() // what it printed before it died is read on
			}
		}
		_ = cmd.Wait()
	}
	d, err := db.Open(context.Background(), db.Options{Dir: dir, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	there := map[string]bool{}
	for _, name := range names(t, d) {
		there[name] = true
	}
	for _, name := range acknowledged {
		if !there[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	if len(acknowledged) < 1000 {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
	var verdict string
	handle, release, err := db.Admin(d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	if err := handle.Get(&verdict, "PRAGMA integrity_check"); err != nil || verdict != "ok" {
		t.Errorf("the file is %q %v", verdict, err)
	}
}

func TestSecondServer(t *testing.T) {
	dir := t.TempDir()
	first := dbtest.Open(t, db.Options{Dir: dir, Migrate: true})
	refused(t, db.Options{Dir: dir, Migrate: true}, "in use by another clawless", fmt.Sprintf("process %d", os.Getpid()), "stop it first", dir)
	out, err := child(t, "open", dir).Output()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("another process: %v, %s", err, out)
	}
	mustAdd(t, first, "acme")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := child(t, "open", dir).CombinedOutput(); err != nil {
		t.Errorf("after the first had closed: %v, %s", err, out)
	}
}
