// Package redistest gives tests a real Redis: the one that is named, with names of their own, or one that they may stop and start.
package redistest

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/clawless/clawless/server/redis"
)

// Env names the variable with the URL of a Redis for tests.
const Env = "CLAWLESS_TEST_REDIS"

// URL is the Redis of the environment; without one it skips the test and says so.
func URL(t testing.TB) string {
	t.Helper()
	url := os.Getenv(Env)
	if url == "" {
		t.Skipf("SKIPPED WITHOUT REDIS: set %s to the URL of one, for example with: export %s=$(build/redis.sh start DIR)", Env, Env)
	}
	return url
}

// Prefix is a beginning of names that no other test uses.
func Prefix() string { return "t" + rand.Text() + ":" }

// Open makes a client and closes it when the test ends. An empty url takes that of the environment; clients of one prefix see each other.
func Open(t testing.TB, url, prefix string) *redis.Client {
	t.Helper()
	if url == "" {
		url = URL(t)
	}
	c, err := redis.Open(redis.Options{URL: url, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Server is a redis-server of one test, on a socket.
type Server struct {
	URL    string
	Socket string // its path

	t   testing.TB
	cmd *exec.Cmd
}

// Start starts a redis-server that keeps nothing when it stops, and stops it when the test ends. It skips the test where no Redis is asked for.
func Start(t testing.TB) *Server {
	t.Helper()
	URL(t)
	dir, err := os.MkdirTemp("", "redis") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{t: t, Socket: filepath.Join(dir, "s")}
	s.URL = "unix://" + s.Socket + "?db=0"
	s.Up()
	t.Cleanup(s.Down)
	return s
}

// Up starts the server again, empty, and returns when it answers.
func (s *Server) Up() {
	s.t.Helper()
	s.cmd = exec.CommandContext(context.Background(), "redis-server", "--port", "0", "--unixsocket", s.Socket, "--save", "", "--appendonly", "no", "--databases", "1", "--dir", filepath.Dir(s.Socket))
	var out bytes.Buffer
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !s.answers() {
		select {
		case <-limit:
			s.Down()
			s.t.Fatalf("redis-server does not answer: %s", out.String())
		case <-tick.C:
		}
	}
}

func (s *Server) answers() bool {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "unix", s.Socket)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte("PING\r\n"))
	b := make([]byte, 7)
	_, err = io.ReadFull(conn, b)
	return err == nil && string(b) == "+PONG\r\n"
}

// Down kills the server, as a machine that fails; all it had is lost.
func (s *Server) Down() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}
