// Package lab starts a real Clawless server for a measurement or a test, makes tenants on it, and ends it.
package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
	cmd      *exec.Cmd
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
	addr, err := freeAddr()
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
	cmd.Env = append(CleanEnv(), "CLAWLESS_ADMIN_KEY="+s.AdminKey, "CLAWLESS_DISCOVER_OLLAMA=false", "CLAWLESS_LOG_LEVEL=warn")
	cmd.Env = append(cmd.Env, s.Env...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.URL = cmd, "http://"+addr
	if err := WaitReady(ctx, s.URL+"/readyz", time.Minute); err != nil {
		s.Stop()
		return fmt.Errorf("%w; its log:\n%s", err, s.Log())
	}
	return nil
}

// PID is the process that was started last.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop asks the server to end, as a service manager would, and kills it when it has not after ten seconds. Stopping twice does nothing.
func (s *Server) Stop() {
	if s.cmd != nil {
		stop(s.cmd)
		s.cmd = nil
	}
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(os.Interrupt) // it may have ended already, and then Wait says so
	timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // a program that was interrupted may well say so
	timer.Stop()
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

// freeAddr finds a loopback address that nobody listens on.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// WaitReady polls every millisecond until the URL answers 200, at most for limit.
func WaitReady(ctx context.Context, url string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if ctx.Err() != nil {
			return errors.New(url + " was not ready in " + limit.String())
		}
		time.Sleep(time.Millisecond)
	}
}

// Process is another program that this one started, which wrote its address to its first line.
type Process struct {
	cmd *exec.Cmd
	URL string
}

// StartProcess starts a program and reads its URL from the first line of its standard output.
func StartProcess(ctx context.Context, path string, args ...string) (*Process, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd}
	line := make([]byte, 256)
	n, err := out.Read(line)
	text, _, whole := bytes.Cut(line[:n], []byte("\n"))
	if err == nil && !whole {
		err = errors.New("its first line is not a URL")
	}
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s %s: %w", filepath.Base(path), args, err)
	}
	p.URL = string(text)
	return p, nil
}

// PID is the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop ends it.
func (p *Process) Stop() { stop(p.cmd) }
