package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be clawless itself, so that scripts run the real main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"clawless": main})
}

// TestScripts runs what a user could type, each script in a folder and a home of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, scriptParams(filepath.Join("testdata", "script")))
}

// scriptParams gives the scripts of a folder their home and their commands.
func scriptParams(dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("NO_COLOR", "1")
			e.Setenv("CLAWLESS_DISCOVER_OLLAMA", "false")
			e.Values[serverKey{}] = &scriptServer{}
			e.Values[endpointKey{}] = &endpoint{}
			e.Defer(func() { e.Values[serverKey{}].(*scriptServer).kill() })
			return os.MkdirAll(home, 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": cmdServer, "stopserver": cmdStop, "killserver": cmdKill, "json": cmdJSON, "http": cmdHTTP,
			"endpoint": cmdEndpoint, "turn": cmdTurn,
		},
	}
}

type serverKey struct{}

// scriptServer is the server that a script started.
type scriptServer struct {
	cmd  *exec.Cmd
	url  string
	done chan error
	log  *bytes.Buffer
}

func (s *scriptServer) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.done
		s.cmd = nil
	}
}

var readyLine = regexp.MustCompile(`clawless is ready at (http[^\s,]+)`)

// start runs `clawless serve`, or demo, on a free port with the given flags and waits until it says that it is ready.
func (s *scriptServer) start(program, verb, data, dir string, env []string, flags ...string) error {
	cmd := exec.Command(program, append([]string{verb, "--addr", "127.0.0.1:0", "--data-dir", data}, flags...)...)
	cmd.Dir, cmd.Env = dir, env
	stderr, said, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = said.Close()
	s.cmd, s.done, s.log = cmd, make(chan error, 1), &bytes.Buffer{}
	url := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			s.log.WriteString(lines.Text() + "\n")
			if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
				url <- m[1]
			}
		}
		_ = stderr.Close()
		close(url)
		s.done <- cmd.Wait()
	}()
	select {
	case u, ok := <-url:
		if !ok {
			return fmt.Errorf("the server did not start:\n%s", s.log)
		}
		s.url = u
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("the server was not ready after 30 s")
	}
}

// cmdServer starts the script's server: server [clawless demo] [flags...]
func cmdServer(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey{}).(*scriptServer)
	s.kill()
	verb := "serve"
	if len(args) > 1 && args[0] == "clawless" {
		verb, args = args[1], args[2:]
	}
	program, _, _ := strings.Cut(ts.Getenv("PATH"), string(os.PathListSeparator))
	ts.Check(s.start(filepath.Join(program, "clawless"), verb, ts.MkAbs("data"), ts.MkAbs("."), scriptEnv(ts), args...))
	ts.Setenv("URL", s.url)
	ts.Setenv("ADDR", strings.TrimPrefix(s.url, "http://"))
}

func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"HOME", "PATH", "NO_COLOR", "TMPDIR", "CLAWLESS_DISCOVER_OLLAMA", "CLAWLESS_DATABASE_URL", "CLAWLESS_ADMIN_KEY", "CLAWLESS_DRAIN_TIMEOUT",
		"CLAWLESS_PROVIDERS_LAB_BASE_URL", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// cmdStop ends the server with SIGTERM and wants exit code 0.
func cmdStop(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey{}).(*scriptServer)
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-s.done:
		if err != nil {
			ts.Fatalf("the server ended with %v:\n%s", err, s.log)
		}
	case <-time.After(30 * time.Second):
		ts.Fatalf("the server did not stop within 30 s")
	}
	s.cmd = nil
}

// cmdKill ends the server the hard way.
func cmdKill(ts *testscript.TestScript, neg bool, args []string) {
	ts.Value(serverKey{}).(*scriptServer).kill()
}

// cmdJSON puts a value of the JSON on the last command's stdout into a variable: json VAR data.0.id
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json VAR path.to.value")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, step := range strings.Split(args[1], ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				ts.Fatalf("%s: no element %s", args[1], step)
			}
			v = x[i]
		default:
			ts.Fatalf("%s: nothing at %s", args[1], step)
		}
	}
	if v == nil {
		ts.Fatalf("%s is null or missing", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

// cmdHTTP sends a request to the server with $KEY and prints the status and the body: http [-H 'Name: value'] METHOD PATH [BODY]
func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	header := http.Header{}
	for len(args) > 1 && args[0] == "-H" {
		name, value, _ := strings.Cut(args[1], ":")
		header.Add(name, strings.TrimSpace(value))
		args = args[2:]
	}
	if len(args) < 2 {
		ts.Fatalf("usage: http [-H 'Name: value'] METHOD PATH [BODY]")
	}
	var body io.Reader
	if len(args) > 2 {
		body = strings.NewReader(strings.Join(args[2:], " "))
		header.Set("Content-Type", "application/json")
	}
	req, err := http.NewRequest(args[0], ts.Getenv("URL")+args[1], body)
	ts.Check(err)
	for k, v := range header {
		req.Header[k] = v
	}
	if key := ts.Getenv("KEY"); key != "" && req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		ts.Check(err)
	}
	fmt.Fprintf(ts.Stdout(), "%s", data)
	fmt.Fprintf(ts.Stderr(), "%d\n", resp.StatusCode)
	for _, h := range []string{"Clawless-Run-Id", "Retry-After", "Content-Type"} {
		if v := resp.Header.Get(h); v != "" {
			fmt.Fprintf(ts.Stderr(), "%s: %s\n", h, v)
		}
	}
	if failed := resp.StatusCode >= 400; failed != neg {
		ts.Fatalf("%s %s answered %d: %s", args[0], args[1], resp.StatusCode, data)
	}
}
