package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/clawless/clawless/build/bench/lab"
)

// engine is a model server on loopback.
type engine struct {
	proc    *lab.Process
	url     string
	logPath string
	version string
}

// startEngine starts llama.cpp's OpenAI-compatible server with the model and returns when it answers.
func startEngine(ctx context.Context, python string, m model, dir string) (*engine, error) {
	version, err := exec.CommandContext(ctx, python, "-c", "import llama_cpp; print(llama_cpp.__version__)").Output()
	if err != nil {
		return nil, fmt.Errorf("%s has no llama_cpp: %w", python, err)
	}
	addr, err := lab.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	e := &engine{
		url:     "http://" + addr,
		logPath: filepath.Join(dir, "engine.log"),
		version: "llama-cpp-python " + strings.TrimSpace(string(version)),
	}
	logFile, err := os.Create(e.logPath)
	if err != nil {
		return nil, err
	}
	defer logFile.Close() // the engine has its own descriptor
	args := []string{"-m", "llama_cpp.server", "--model", m.file, "--model_alias", m.name, "--host", "127.0.0.1", "--port", port, "--n_ctx", "1024", "--verbose", "false"}
	if m.format != "" {
		args = append(args, "--chat_format", m.format)
	}
	cmd := exec.CommandContext(ctx, python, args...)
	cmd.Env = append(lab.CleanEnv(), "HF_HUB_OFFLINE=1")
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if e.proc, err = lab.Start(cmd); err != nil {
		return nil, err
	}
	if err := e.proc.WaitReady(ctx, e.url+"/v1/models", 5*time.Minute); err != nil {
		e.proc.Stop()
		return nil, fmt.Errorf("%w; its log:\n%s", err, e.log())
	}
	return e, nil
}

// log is the end of what the engine wrote.
func (e *engine) log() string {
	b, err := os.ReadFile(e.logPath)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4096):])
}
