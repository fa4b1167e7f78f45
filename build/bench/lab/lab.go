// Package lab starts a real Clawless server for a measurement or a test, makes tenants on it, and ends it.
package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Server is one server process with a data folder of its own. Start it, use URL and AdminKey, stop it; it can be started again on the same data.
type Server struct {
	Bin      string   // the binary; made absolute by New
	Dir      string   // its data folder, and the folder of its log
	AdminKey string   // the operator's key
	Env      []string // more settings, as NAME=value
	URL      string   // where it listens, once started
	proc     *Process
}

// New prepares a server whose data lives in dir. It fails when there is no binary.
func New(bin, dir string, env ...string) (*Server, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(bin); err != nil {
		return nil, fmt.Errorf("%w: build it first (make build)", err)
	}
	return &Server{Bin: bin, Dir: dir, AdminKey: NewAdminKey(), Env: env}, nil
}

// Start starts the server on a free loopback port and returns when it is ready. When it fails the error holds the end of the server's log.
func (s *Server) Start(ctx context.Context) error {
	addr, err := FreeAddr(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(s.Dir, "server.log"))
	if err != nil {
		return err
	}
	defer logFile.Close() // the process has its own descriptor
	cmd := exec.CommandContext(ctx, s.Bin, "serve", "--addr", addr, "--data-dir", filepath.Join(s.Dir, "data"))
	cmd.Env = append(CleanEnv(), "CLAWLESS_ADMIN_KEY="+s.AdminKey, "CLAWLESS_DISCOVER_OLLAMA=false", "CLAWLESS_LOG_LEVEL=warn",
		"HOME="+s.Dir, "XDG_CONFIG_HOME="+s.Dir, "XDG_DATA_HOME="+s.Dir, "XDG_CACHE_HOME="+s.Dir) // the user's own profiles stay as they are
	cmd.Env = append(cmd.Env, s.Env...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if s.proc, err = Start(cmd); err != nil {
		return err
	}
	s.URL = "http://" + addr
	if err := s.proc.WaitReady(ctx, s.URL+"/readyz", time.Minute); err != nil {
		s.Stop()
		return fmt.Errorf("%w; its log:\n%s", err, s.Log())
	}
	return nil
}

// PID is the process that was started last.
func (s *Server) PID() int { return s.proc.PID() }

// Stop ends the server. Stopping twice does nothing.
func (s *Server) Stop() {
	if s.proc != nil {
		s.proc.Stop()
		s.proc = nil
	}
}

// Log is the last 4 KiB of what the server wrote.
func (s *Server) Log() string {
	b, err := os.ReadFile(filepath.Join(s.Dir, "server.log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4096):])
}

// CleanEnv is the environment without this user's own settings of Clawless and keys of vendors.
func CleanEnv() (env []string) {
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "CLAWLESS_") && !strings.HasSuffix(name, "_API_KEY") && !strings.HasSuffix(name, "_API_TOKEN") {
			env = append(env, kv)
		}
	}
	return env
}

// FreeAddr finds a loopback address that nobody listens on.
func FreeAddr(ctx context.Context) (string, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
