package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Process is a program that this one started and ends.
type Process struct {
	URL   string // what it wrote to its first line, when it was started with StartProcess
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// Start starts a command and watches it.
func Start(cmd *exec.Cmd) (*Process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // a program that was interrupted may well say so
		close(p.ended)
	}()
	return p, nil
}

// StartProcess starts a program and reads its URL from the first line of its standard output.
func StartProcess(ctx context.Context, path string, args ...string) (*Process, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = os.Stderr
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout = in
	p, err := Start(cmd)
	in.Close() // the program has its own
	if err != nil {
		return nil, err
	}
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

// Stop asks the program to end, as a service manager would, and kills it when it has not after ten seconds. It returns when it has ended.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(os.Interrupt) // it may have ended already
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// WaitReady polls every millisecond until the URL answers 200, at most for limit, and gives up at once when the process ends.
func (p *Process) WaitReady(ctx context.Context, url string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if isReady(ctx, client, url) {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return errors.New(filepath.Base(p.cmd.Path) + " ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready in %s: %w", url, limit, ctx.Err())
		}
	}
}

func isReady(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}
