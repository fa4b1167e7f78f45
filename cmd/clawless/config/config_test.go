package config

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

func run(t *testing.T, f *cli.Fake, line ...string) int {
	t.Helper()
	f.Stdout.Reset()
	f.Stderr.Reset()
	f.Flags = cli.Globals{}
	root := &cobra.Command{Use: "clawless", Short: "root"}
	root.AddCommand(New(f.Env))
	return cli.Execute(context.Background(), f.Env, root, append([]string{"config"}, line...))
}

func write(t *testing.T, f *cli.Fake, text string) string {
	t.Helper()
	path := filepath.Join(f.Dir, "clawless.yaml")
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rows gives the fields of every line of a table by their first one.
func rows(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[name] = strings.Join(strings.Fields(rest), " ")
	}
	return out
}

func TestShow(t *testing.T) {
	f := cli.NewFake(t.TempDir())
	path := write(t, f, "providers:\n  openai:\n    api_key: sk-geheim-geheim-wxyz\n")
	f.Vars["CLAWLESS_DATABASE_URL"] = "postgres://u:geheim@db.example/x"
	if code := run(t, f, "show", "--origin", "--addr", "127.0.0.1:0"); code != cli.ExitOK {
		t.Fatalf("%d: %s", code, f.Stderr)
	}
	got := rows(f.Stdout.String())
	for name, want := range map[string]string{
		"SETTING":                  "VALUE ORIGIN",
		"addr":                     "127.0.0.1:0 flag --addr",
		"database_url":             "postgres://u:****@db.example/x env CLAWLESS_DATABASE_URL",
		"providers.openai.api_key": "****wxyz file " + path + ":3",
		"max_body_bytes":           "20MiB default",
		"behind_proxy":             "false default",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if strings.Contains(f.Stdout.String(), "geheim") {
		t.Error("a secret is shown")
	}
	if run(t, f, "show"); strings.Contains(f.Stdout.String(), "ORIGIN") {
		t.Error("origins without --origin")
	}
	if run(t, f, "show", "-q"); !strings.HasPrefix(f.Stdout.String(), "addr\npublic_url\n") {
		t.Errorf("quietly: %s", f.Stdout)
	}
}

func TestShowForMachines(t *testing.T) {
	f := cli.NewFake(t.TempDir())
	f.Vars["CLAWLESS_PROVIDERS_OPENAI_API_KEY"] = "sk-geheim-geheim-wxyz"
	if code := run(t, f, "show", "-o", "json"); code != cli.ExitOK {
		t.Fatalf("%d: %s", code, f.Stderr)
	}
	var got []struct {
		Name, Source, Where string
		Value               any
	}
	if err := json.Unmarshal(f.Stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	byName := map[string]any{}
	for _, row := range got {
		byName[row.Name] = row.Value
		if row.Name == "providers.openai.api_key" && (row.Value != "****wxyz" || row.Source != "env" || row.Where != "CLAWLESS_PROVIDERS_OPENAI_API_KEY") {
			t.Errorf("api_key is %+v", row)
		}
	}
	if byName["discover_ollama"] != true || byName["drain_timeout"] != "30s" || byName["database_url"] != "" {
		t.Errorf("got %v", byName)
	}
	if list, ok := byName["cors_origins"].([]any); !ok || len(list) != 0 {
		t.Errorf("an empty list is %#v", byName["cors_origins"])
	}
	if m, ok := byName["models"].(map[string]any); !ok || len(m) != 0 {
		t.Errorf("an empty mapping is %#v", byName["models"])
	}
}

func TestShowOfWrongSettings(t *testing.T) {
	f := cli.NewFake(t.TempDir())
	path := write(t, f, "log_level: loud\nmodels: {fast: mock/echo}\n")
	code := run(t, f, "show", "--origin")
	if want := "clawless: a setting is wrong\n  log_level (" + path + ":1): \"loud\" is not one of debug, info, warn, error\n"; code != cli.ExitUsage || f.Stderr.String() != want {
		t.Errorf("%d: %q, want %q", code, f.Stderr, want)
	}
	if got := rows(f.Stdout.String())["models"]; got != "fast=mock/echo file "+path+":2" {
		t.Errorf("what could be read is not shown: %q", got)
	}
	write(t, f, "[")
	if code := run(t, f, "show"); code != cli.ExitUsage || f.Stdout.Len() > 0 || !strings.Contains(f.Stderr.String(), path) {
		t.Errorf("%d: %q %q", code, f.Stdout, f.Stderr)
	}
}

func TestValidate(t *testing.T) {
	f := cli.NewFake(t.TempDir())
	if code := run(t, f, "validate"); code != cli.ExitOK || f.Stdout.String() != "the settings are valid: there is no file, so variables and defaults count\n" {
		t.Errorf("%d: %q %q", code, f.Stdout, f.Stderr)
	}
	path := write(t, f, "addr: 0.0.0.0:80\ntls_cert: gone.pem\ntls_key: gone.key\nproviders: {box: {api_key_file: gone}}\nadr: x\n")
	code := run(t, f, "validate")
	text := f.Stderr.String()
	for _, want := range []string{
		"clawless: 4 settings are wrong\n",
		"adr (" + path + ":5): is no setting; did you mean addr?\n",
		"tls_cert (" + path + ":2): open " + filepath.Join(f.Dir, "gone.pem") + ": no such file or directory\n",
		"tls_key (" + path + ":3): open ",
		"providers.box.api_key_file (" + path + ":4): open ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if code != cli.ExitUsage || f.Stdout.Len() > 0 || strings.Contains(text, "try:") {
		t.Errorf("%d: %q %q", code, f.Stdout, text)
	}
}

func TestValidateForMachines(t *testing.T) {
	f := cli.NewFake(t.TempDir())
	var got verdict
	decode := func() {
		t.Helper()
		got = verdict{}
		if err := json.Unmarshal(f.Stdout.Bytes(), &got); err != nil {
			t.Fatalf("%v: %q", err, f.Stdout)
		}
	}
	if code := run(t, f, "validate", "-o", "json"); code != cli.ExitOK {
		t.Errorf("%d: %s", code, f.Stderr)
	}
	if decode(); !got.Valid || got.Problems == nil {
		t.Errorf("got %+v", got)
	}
	path := write(t, f, "addr: x\n")
	if code := run(t, f, "validate", "-o", "json"); code != cli.ExitUsage || f.Stderr.Len() > 0 {
		t.Errorf("%d: %q", code, f.Stderr)
	}
	if decode(); got.Valid || got.File != path || len(got.Problems) != 1 || got.Problems[0].Field != "addr" || got.Problems[0].Where != path+":1" {
		t.Errorf("got %+v", got)
	}
	if code := run(t, f, "validate", "-o", "json", "--config", "gone.yaml"); code != cli.ExitUsage {
		t.Errorf("%d: %q", code, f.Stderr)
	}
	if decode(); got.Valid || len(got.Problems) != 1 || got.Problems[0].Where != "--config" {
		t.Errorf("got %+v", got)
	}
}

func TestPath(t *testing.T) {
	home := t.TempDir()
	f := cli.NewFake(home)
	if code := run(t, f, "path", "-q"); code != cli.ExitOK || f.Stdout.Len() > 0 {
		t.Errorf("%d: %q", code, f.Stdout)
	}
	path := write(t, f, "")
	if code := run(t, f, "path", "-q"); code != cli.ExitOK || f.Stdout.String() != path+"\n" {
		t.Errorf("%d: %q", code, f.Stdout)
	}
	run(t, f, "path", "-o", "json")
	var got paths
	if err := json.Unmarshal(f.Stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.File != path || len(got.Places) != 2 || got.Profiles != filepath.Join(home, ".config/clawless/profiles.yaml") || got.DataDir != filepath.Join(home, ".local/share/clawless") {
		t.Errorf("got %+v", got)
	}
	if code := run(t, f, "path", "--config", "gone"); code != cli.ExitUsage || !strings.Contains(f.Stderr.String(), "--config: ") {
		t.Errorf("%d: %q", code, f.Stderr)
	}
}
