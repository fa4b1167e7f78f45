package db_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/clawless/clawless/server/db"
)

const (
	childEnv    = "CLAWLESS_DB_TEST_CHILD"
	childDirEnv = "CLAWLESS_DB_TEST_DIR"
)

// children are what the test binary does when a test starts it as a process of its own; the result is the exit code.
var children = map[string]func() int{"write": childWrite, "open": childOpen}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
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
