package main

import (
	"bufio"
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

// process is a program that this one started, and ends.
type process struct {
	cmd *exec.Cmd
	url string
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the program to end and kills it when it has not after ten seconds.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt) // it may have ended already, and then Wait says so
	timer := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait() // ended by a signal, which is an error to Wait
	timer.Stop()
}

// lab is everything that runs during a measurement.
type lab struct {
	bin      string
	dir      string // data folder of the server under test
	adminKey string
	log      *os.File
	upstream *process
	floor    *process
	server   *process
}

func openLab(ctx context.Context, bin, dir string) (*lab, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(bin); err != nil {
		return nil, fmt.Errorf("%w: build it first (make build)", err)
	}
	l := &lab{bin: bin, dir: filepath.Join(dir, "data"), adminKey: newAdminKey()}
	if l.log, err = os.Create(filepath.Join(dir, "server.log")); err != nil {
		return nil, err
	}
	if l.upstream, err = startSelf(ctx, "upstream", "-"); err == nil {
		l.floor, err = startSelf(ctx, "floor", l.upstream.url)
	}
	if err == nil {
		l.server, err = l.startServer(ctx)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() {
	for _, p := range []*process{l.server, l.floor, l.upstream} {
		if p != nil {
			p.stop()
		}
	}
	l.log.Close()
}

// startSelf starts this program again as a server and reads its address from its first line.
func startSelf(ctx context.Context, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	p.url = strings.TrimSpace(line)
	return p, nil
}

// startServer starts the server under test and returns when it is ready.
func (l *lab) startServer(ctx context.Context) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, l.bin, "serve", "--addr", addr, "--data-dir", l.dir)
	cmd.Env = append(cleanEnv(),
		"CLAWLESS_ADMIN_KEY="+l.adminKey,
		"CLAWLESS_PROVIDERS_BENCH_BASE_URL="+l.upstream.url+"/v1",
		"CLAWLESS_PROVIDERS_BENCH_API_KEY=unused",
		"CLAWLESS_DISCOVER_OLLAMA=false",
		"CLAWLESS_LOG_LEVEL=warn")
	cmd.Stdout, cmd.Stderr = l.log, l.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, url: "http://" + addr}
	if err := waitReady(ctx, p.url+"/readyz", time.Minute); err != nil {
		p.stop()
		tail, _ := os.ReadFile(l.log.Name())
		return nil, fmt.Errorf("%w; its log:\n%s", err, tail)
	}
	return p, nil
}

// cleanEnv is the environment without this user's own settings of Clawless and keys of vendors.
func cleanEnv() (env []string) {
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

// waitReady polls every millisecond until the URL answers 200.
func waitReady(ctx context.Context, url string, limit time.Duration) error {
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
			return errors.New("the server was not ready in " + limit.String())
		}
		time.Sleep(time.Millisecond)
	}
}
