package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/clawless/clawless/server/config"
)

// world is a World in a folder of its own, with a map for variables.
type world struct {
	World
	t    *testing.T
	vars map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, vars: map[string]string{"HOME": "/home/nobody-at-all"}}
	w.World = World{
		Dir:       t.TempDir(),
		GOOS:      "linux",
		LookupEnv: func(name string) (string, bool) { v, ok := w.vars[name]; return v, ok },
		Environ: func() []string {
			var out []string
			for name, value := range w.vars {
				out = append(out, name+"="+value)
			}
			return out
		},
	}
	return w
}

// write puts a file into the world's working folder.
func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// load reads the settings with the flags of all settings set from args.
func (w *world) load(args ...string) (*Loaded, error) {
	w.t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		w.t.Fatal(err)
	}
	return w.Load(fs)
}

// sample gives a text for the file, a variable and a flag, each different from the one before it.
func sample(f config.Field) (file, env, flag string) {
	switch {
	case f.Name == "addr" || f.Name == "metrics_addr":
		return "127.0.0.1:1001", "127.0.0.1:1002", "127.0.0.1:1003"
	case f.Name == "default_model" || f.Name == "auto_weak" || f.Name == "auto_strong":
		return "mock/a", "mock/b", "mock/c"
	case f.Name == "database_url":
		return "postgres://u@file/d", "postgres://u@env/d", ""
	case f.Name == "redis_url":
		return "redis://file:1/0", "redis://env:1/0", ""
	case f.Name == "public_url" || strings.HasSuffix(f.Name, "base_url"):
		return "http://file.example", "http://env.example", "http://flag.example"
	case len(f.OneOf) > 0:
		last := len(f.OneOf) - 1
		return f.OneOf[last], f.OneOf[0], f.OneOf[last]
	}
	switch f.Kind {
	case config.KindBool:
		return "true", "false", "true"
	case config.KindBytes:
		return "1MiB", "2MiB", "3MiB"
	case config.KindDuration:
		return "1m", "2m", "3m"
	case config.KindNumber:
		return "0.1", "0.2", "0.4"
	case config.KindList:
		return "http://a.example,http://b.example", "http://c.example", "http://d.example,http://e.example"
	case config.KindMap:
		return "a=mock/a", "b=mock/b", "c=mock/c,d=mock/d"
	}
	return "from the file", "from env", "from a flag"
}

// TestPrecedence takes every setting there is through default, file, variable and flag.
func TestPrecedence(t *testing.T) {
	for _, f := range config.Fields() {
		f, _ = config.FieldOf(strings.Replace(f.Name, config.AnyName, "my-box", 1))
		t.Run(f.Name, func(t *testing.T) {
			file, env, flag := sample(f)
			w := newWorld(t)
			need(w, f)
			check := func(want string, origin Origin, args ...string) {
				t.Helper()
				l, err := w.load(args...)
				if err != nil {
					t.Fatalf("%s: %v", origin, problems(err))
				}
				if got := l.Origin(f.Name); got != origin {
					t.Errorf("origin is %+v, want %+v", got, origin)
				}
				compare(t, l, f.Name, want)
			}
			if len(w.vars) == 1 && f.Name != "data_dir" && !strings.Contains(f.Name, ".") {
				check(f.Default, Origin{Source: "default"})
			}
			path := w.write(FileName, "# a comment\n"+yamlOf(f.Name, file))
			line := strings.Count(f.Name, ".") + 2
			check(file, Origin{"file", fmt.Sprintf("%s:%d", path, line)})
			w.vars[f.Env] = env
			check(env, Origin{"env", f.Env})
			if f.Flag != "" {
				check(flag, Origin{"flag", "--" + f.Flag}, "--"+f.Flag+"="+flag)
			}
			w.vars[f.Env] = ""
			check(file, Origin{"file", fmt.Sprintf("%s:%d", path, line)})
		})
	}
}

// need sets what a setting cannot be valid without.
func need(w *world, f config.Field) {
	switch f.Name {
	case "tls_cert":
		w.vars["CLAWLESS_TLS_KEY"] = "k"
	case "tls_key":
		w.vars["CLAWLESS_TLS_CERT"] = "c"
	}
}

func yamlOf(name, value string) string {
	var b strings.Builder
	parts := strings.Split(name, ".")
	for i, part := range parts {
		b.WriteString(strings.Repeat("  ", i) + part + ":")
		if i < len(parts)-1 {
			b.WriteString("\n")
		}
	}
	if name == "models" {
		key, target, _ := strings.Cut(value, "=")
		return fmt.Sprintf("%s { %s: %s }\n", b.String(), key, target)
	}
	if name == "cors_origins" {
		return fmt.Sprintf("%s [ %s ]\n", b.String(), strings.ReplaceAll(value, ",", ", "))
	}
	return fmt.Sprintf("%s %s\n", b.String(), value)
}

// compare checks that a setting has the value that the text stands for.
func compare(t *testing.T, l *Loaded, name, text string) {
	t.Helper()
	var want config.Settings
	if text != "" {
		if err := want.Set(name, text); err != nil {
			t.Fatal(err)
		}
	}
	switch name {
	case "data_dir", "tls_cert", "tls_key", "providers.my-box.api_key_file": // paths become absolute
		if got := fmt.Sprint(value(l.Settings, name)); !strings.HasSuffix(got, text) || (text != "" && !filepath.IsAbs(got)) {
			t.Errorf("%s is %q, want an absolute path that ends in %q", name, got, text)
		}
		return
	}
	if got, want := value(l.Settings, name), value(want, name); !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %#v, want %#v", name, got, want)
	}
}

func value(s config.Settings, name string) any {
	for _, e := range s.Entries() {
		if e.Name == name {
			if secret, ok := e.Value.(config.Secret); ok {
				return string(secret)
			}
			return e.Value
		}
	}
	return nil
}

func problems(err error) string {
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		return fmt.Sprint(err)
	}
	var lines []string
	for _, p := range invalid.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func TestProvidersMergeFieldByField(t *testing.T) {
	w := newWorld(t)
	w.write(FileName, "providers:\n  my-box:\n    base_url: http://box.example\n    api_key: from-the-file\n")
	w.vars["CLAWLESS_PROVIDERS_MY_BOX_API_KEY"] = "from-a-variable"
	w.vars["CLAWLESS_PROVIDERS_OPENAI_API_KEY"] = "sk-1"
	l, err := w.load()
	if err != nil {
		t.Fatal(problems(err))
	}
	want := map[string]config.Provider{
		"my-box": {BaseURL: "http://box.example", APIKey: "from-a-variable"},
		"openai": {APIKey: "sk-1"},
	}
	if !reflect.DeepEqual(l.Providers, want) {
		t.Errorf("got %+v", l.Providers)
	}
	if o := l.Origin("providers.my-box.base_url"); o.Source != "file" {
		t.Errorf("base_url comes from %s", o)
	}
	if o := l.Origin("providers.openai.api_key"); o.String() != "env CLAWLESS_PROVIDERS_OPENAI_API_KEY" {
		t.Errorf("api_key comes from %s", o)
	}
}

func TestAliasKeepsItsCase(t *testing.T) {
	w := newWorld(t)
	w.write(FileName, "models:\n  GPT-4.1: openai/gpt-4.1\n  fast: &m mock/echo\n  quick: *m\n")
	l, err := w.load()
	if err != nil {
		t.Fatal(problems(err))
	}
	want := map[string]string{"GPT-4.1": "openai/gpt-4.1", "fast": "mock/echo", "quick": "mock/echo"}
	if !reflect.DeepEqual(l.Models, want) {
		t.Errorf("got %v, want %v", l.Models, want)
	}
}

func TestRepeatedFlagsAddUp(t *testing.T) {
	w := newWorld(t)
	l, err := w.load("--models", "a=mock/a", "--models", "b=mock/b", "--cors-origins=http://a.example", "--cors-origins", "http://b.example", "--addr", "127.0.0.1:1",
		"--addr", "127.0.0.1:2", "--behind-proxy")
	if err != nil {
		t.Fatal(problems(err))
	}
	if len(l.Models) != 2 || len(l.CORSOrigins) != 2 || l.Addr != "127.0.0.1:2" || !l.BehindProxy {
		t.Errorf("got %v, %v, %s, %v", l.Models, l.CORSOrigins, l.Addr, l.BehindProxy)
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	path := w.write(FileName, `address: 127.0.0.1:1
log_format: xml
log-level: debug
run_retention: [1, 2]
cors_origins:
  - https://a.example/path
drain_timeout: 30
drain_timeout: 30s
providers:
  Openai:
    api-key: sk-geheim
  a.b:
    driver: x
models: fast
data_dir: ~
system_prompt: {a: b}
`)
	w.vars["CLAWLESS_ADR"] = "x"
	w.vars["CLAWLESS_PROVIDERS_OPENAI_APIKEY"] = "sk-geheim"
	w.vars["CLAWLESS_TEST_X"] = "fine"
	w.vars["CLAWLESS_E2E_Y"] = "fine"
	w.vars["CLAWLESS_URL"] = "fine"
	w.vars["CLAWLESS_MAX_BODY_BYTES"] = "lots"
	l, err := w.load("--discover-ollama=maybe", "--session-wait=-1s")
	at := func(line int) string { return fmt.Sprintf("(%s:%d)", path, line) }
	want := []string{
		"address " + at(1) + ": is no setting; did you mean addr?",
		"log-level " + at(3) + ": is no setting; did you mean log_level?",
		"drain_timeout " + at(8) + ": is there twice",
		"providers.Openai.api-key " + at(11) + ": is no setting of a provider; did you mean api_key?",
		"providers.a.b " + at(12) + ": a provider's name has lower-case letters, digits, - and _ only",
		"CLAWLESS_ADR: is no variable of clawless; did you mean CLAWLESS_ADDR?",
		"CLAWLESS_PROVIDERS_OPENAI_APIKEY: is no variable of clawless; did you mean CLAWLESS_PROVIDERS_OPENAI_API_KEY?",
		`discover_ollama (--discover-ollama): "maybe" is not true or false`,
		"drain_timeout " + at(7) + `: "30" needs a unit: write 30s for seconds`,
		"log_format " + at(2) + `: "xml" is not one of text, json`,
		`max_body_bytes (CLAWLESS_MAX_BODY_BYTES): "lots" is not a size such as 20MiB, 500KB or 1048576`,
		"models " + at(14) + `: "fast" is not NAME=VALUE`,
		"run_retention " + at(4) + ": is one duration, not a list or mapping",
		"system_prompt " + at(16) + ": is one string, not a list or mapping",
		"cors_origins[0] " + at(6) + `: "https://a.example/path" is not an origin: write scheme, host and port only, such as https://app.example.com`,
		"session_wait (--session-wait): -1s is not a positive duration",
	}
	got := strings.Split(problems(err), "\n")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if l == nil || l.Addr != "127.0.0.1:8787" || l.MaxBodyBytes != 20<<20 {
		t.Errorf("what could be read is missing: %+v", l)
	}
	if strings.Contains(problems(err), "geheim") {
		t.Error("a problem shows a key")
	}
}

func TestUnreadableFiles(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"a: b: c\n", "mapping values are not allowed in this context"},
		{"- a\n", "is a mapping, with a line `key: value` for each entry"},
		{"providers: openai\n", "is a mapping"},
		{"providers:\n  - openai\n", "is a mapping"},
		{"providers:\n  openai: sk-1\n", "is a mapping"},
		{"models:\n  a: [b]\n", "is one value"},
		{"log_level: info\n---\nlog_level: debug\n", "line 2: a second document begins here"},
		{"log_level: info\n---\n[\n", "did not find expected"},
		{"\x00", "control characters are not allowed"},
	} {
		w := newWorld(t)
		w.write(FileName, tt.text)
		if _, err := w.load(); !strings.Contains(problems(err), tt.want) || !strings.Contains(problems(err), FileName) {
			t.Errorf("%q: got %q, want the file and %q", tt.text, problems(err), tt.want)
		}
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "addr:\nproviders:\nmodels: ~\n", "providers:\n  openai:\n"} {
		w := newWorld(t)
		w.write(FileName, text)
		if l, err := w.load(); err != nil || l.Addr != "127.0.0.1:8787" {
			t.Errorf("%q: %v", text, problems(err))
		}
	}
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	w.vars["HOME"] = filepath.Join(w.Dir, "home")
	find := func(want string) {
		t.Helper()
		if got, err := w.Find(); got != want || err != nil {
			t.Errorf("found %q, %v, want %q", got, err, want)
		}
	}
	find("")
	users := w.write("home/.config/clawless/clawless.yaml", "log_level: warn\n")
	find(users)
	here := w.write(FileName, "log_level: debug\n")
	find(here)
	named := w.write("named.yaml", "log_level: error\n")
	w.vars["CLAWLESS_CONFIG"] = "named.yaml"
	find(named)
	w.File = here
	find(here)
	if l, err := w.load(); err != nil || l.LogLevel != "debug" || l.File != here {
		t.Errorf("loaded %+v, %v", l, err)
	}
	w.File = "gone.yaml"
	if _, err := w.Find(); !strings.Contains(problems(err), "--config: ") || !strings.Contains(problems(err), "gone.yaml") {
		t.Errorf("a named file that is not there: %v", problems(err))
	}
	delete(w.vars, "HOME")
	if got := w.Places(); len(got) != 1 {
		t.Errorf("without HOME the places are %v", got)
	}
}

func TestRows(t *testing.T) {
	w := newWorld(t)
	w.vars["CLAWLESS_DATABASE_URL"] = "postgres://u:geheim@db/x"
	w.vars["CLAWLESS_PROVIDERS_OPENAI_API_KEY"] = "sk-geheim-geheim-abcd"
	w.vars["CLAWLESS_MODELS"] = "b=mock/b,a=mock/a"
	l, err := w.load("--drain-timeout", "90s", "--cors-origins", "*")
	if err != nil {
		t.Fatal(problems(err))
	}
	rows := map[string]string{}
	for _, r := range l.Rows() {
		rows[r.Name] = r.Text() + " | " + r.Origin().String()
	}
	for name, want := range map[string]string{
		"addr":                     "127.0.0.1:8787 | default",
		"database_url":             "postgres://u:****@db/x | env CLAWLESS_DATABASE_URL",
		"providers.openai.api_key": "****abcd | env CLAWLESS_PROVIDERS_OPENAI_API_KEY",
		"models":                   "a=mock/a, b=mock/b | env CLAWLESS_MODELS",
		"drain_timeout":            "1m30s | flag --drain-timeout",
		"cors_origins":             "* | flag --cors-origins",
		"public_url":               "(derived from addr) | default",
		"discover_ollama":          "true | default",
	} {
		if rows[name] != want {
			t.Errorf("%s is shown as %q, want %q", name, rows[name], want)
		}
	}
	if l.DrainTimeout != 90*time.Second {
		t.Errorf("drain_timeout is %v", l.DrainTimeout)
	}
}

// FuzzFile feeds any text as the settings file: it is read or refused with reasons, and never more than that.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"addr: 127.0.0.1:1\n", "providers: {a: {api_key: b}}", "a: &a [*a]", "? [a]\n: b", "models: {a: &x {b: *x}}", "providers: {'': {driver: x}}", "<<: {addr: b}",
		"providers: {a b: {driver: ~}}", "---\naddr: x\n---\naddr: y\n", "!!binary aGk=: 1", "providers: {A: {driver: x}, a: {driver: y}}",
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "fuzz.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w := World{File: path, GOOS: "linux", LookupEnv: func(string) (string, bool) { return "", false }, Environ: func() []string { return []string{"CLAWLESS_DATA_DIR=d"} }}
		l, err := w.Load(nil)
		var invalid *Invalid
		switch {
		case err == nil && l == nil:
			t.Error("neither settings nor an error")
		case err != nil && (!errors.As(err, &invalid) || len(invalid.Problems) == 0):
			t.Errorf("an error without reasons: %v", err)
		}
		if l != nil {
			l.Rows()
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	w := World{GOOS: "linux", LookupEnv: func(string) (string, bool) { return "", false }, Environ: func() []string { return []string{"CLAWLESS_DATA_DIR=d"} }, Dir: b.TempDir()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Load(nil); err != nil {
			b.Fatal(problems(err))
		}
	}
}
