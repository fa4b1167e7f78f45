package show

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// key is a noun with every kind of cell; its fields are not in the order of the alphabet on purpose.
type key struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Active    bool              `json:"active"`
	Calls     int64             `json:"calls"`
	Scopes    []string          `json:"scopes"`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt *time.Time        `json:"expires_at,omitempty"`
	Meta      map[string]string `json:"meta"`
}

var view = View[key]{
	ID:    func(k key) string { return k.ID },
	Empty: "no keys yet; try: clawless key create",
	Columns: []Column[key]{
		{Head: "ID", Cell: func(k key) any { return k.ID }},
		{Head: "NAME", Cell: func(k key) any { return k.Name }},
		{Head: "ACTIVE", Cell: func(k key) any { return k.Active }},
		{Head: "CALLS", Cell: func(k key) any { return k.Calls }},
		{Head: "SCOPES", Cell: func(k key) any { return k.Scopes }},
		{Head: "CREATED", Cell: func(k key) any { return k.CreatedAt }},
		{Head: "EXPIRES", Cell: func(k key) any { return k.ExpiresAt }, Detail: true},
	},
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func keys() []key {
	expires := now.Add(36 * time.Hour)
	return []key{
		{"key_01", "web <shop> & till", true, 1234567, []string{"chat:write", "sessions:read"}, now.Add(-90 * time.Minute), &expires, map[string]string{"b": "2", "a": "1"}},
		{"key_02", "キー 日本語 🔑", false, 0, nil, now.Add(-25 * time.Hour), nil, nil},
		{"key_03", "evil\x1b[2J\x1b]0;x\aname\nsecond \u202Eline\u009b", true, 1, []string{"yes", "null", "1e3"}, time.Time{}, nil, map[string]string{"multi": "a\nb", "empty": ""}},
	}
}

func printer(format Format) (Printer, *bytes.Buffer, *bytes.Buffer) {
	var out, errOut bytes.Buffer
	return Printer{Out: &out, Err: &errOut, Format: format, Now: now}, &out, &errOut
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs\ngot\n%s\nwant\n%s", path, got, want)
	}
}

func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*Printer)
		one  bool
	}{
		{"list.table", func(*Printer) {}, false},
		{"list.narrow.table", func(p *Printer) { p.Width = 72 }, false},
		{"list.tiny.table", func(p *Printer) { p.Width = 20 }, false},
		{"list.colour.table", func(p *Printer) { p.Colour = true }, false},
		{"list.json", func(p *Printer) { p.Format = JSON }, false},
		{"list.jsonl", func(p *Printer) { p.Format = JSONL }, false},
		{"list.yaml", func(p *Printer) { p.Format = YAML }, false},
		{"list.quiet", func(p *Printer) { p.Quiet = true; p.Format = JSON }, false},
		{"one.table", func(*Printer) {}, true},
		{"one.json", func(p *Printer) { p.Format = JSON }, true},
		{"one.jsonl", func(p *Printer) { p.Format = JSONL }, true},
		{"one.yaml", func(p *Printer) { p.Format = YAML }, true},
		{"one.quiet", func(p *Printer) { p.Quiet = true }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, out, errOut := printer(Table)
			tt.set(&p)
			err := view.List(p, keys())
			if tt.one {
				out.Reset()
				err = view.One(p, keys()[0])
			}
			if err != nil || errOut.Len() > 0 {
				t.Fatalf("%v, and on Err: %s", err, errOut)
			}
			golden(t, tt.name+".golden", out.Bytes())
		})
	}
}

func TestEmptyList(t *testing.T) {
	for format, want := range map[Format]string{Table: "", JSON: "[]\n", JSONL: "", YAML: "[]\n"} {
		p, out, errOut := printer(format)
		if err := view.List(p, nil); err != nil || out.String() != want {
			t.Errorf("%s: %v, got %q, want %q", format, err, out, want)
		}
		if note := errOut.String(); (note != "") != (format == Table) {
			t.Errorf("%s: on Err is %q", format, note)
		}
		p.Quiet = true
		out.Reset()
		errOut.Reset()
		if err := view.List(p, nil); err != nil || out.Len()+errOut.Len() > 0 {
			t.Errorf("%s quietly: %v, %q, %q", format, err, out, errOut)
		}
	}
}

// TestYAMLIsTheSameTree reads the YAML form back through the same shape as the JSON one.
func TestYAMLIsTheSameTree(t *testing.T) {
	for _, text := range []string{
		`{"a":"yes","b":"1e3","c":"0x10","d":"~","e":"2026-01-01","f":"- x","g":"a: b","h":"#","i":"é🔑\u0007","j":"line\nbreak\n","k":" lead","l":""}`,
		`{"big":12345678901234567890,"small":-0.5,"exp":1e+30,"t":true,"n":null,"list":[],"map":{},"nested":[[1,[2]],{"x":[{"y":null}]}]}`,
		`{"key: with colon":1,"1":2,"true":3,"":4}`,
		`"only a text"`, `17`, `[]`, `null`,
	} {
		var b bytes.Buffer
		if err := writeYAML(&b, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := yamlToJSON(t, b.Bytes()); !sameJSON(t, got, text) {
			t.Errorf("%s became\n%sand is read as %s", text, &b, got)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	norm := func(s string) string {
		dec := json.NewDecoder(strings.NewReader(s))
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	return norm(a) == norm(b)
}

func TestValueAndLine(t *testing.T) {
	p, out, _ := printer(Table)
	if err := p.Value(map[string]int{"a": 1}, "first", "second"); err != nil || out.String() != "first\nsecond\n" {
		t.Errorf("table: %v, %q", err, out)
	}
	p, out, _ = printer(JSON)
	if err := p.Value(map[string]int{"a": 1}, "first"); err != nil || out.String() != "{\n  \"a\": 1\n}\n" {
		t.Errorf("json: %v, %q", err, out)
	}
	out.Reset()
	if err := p.Line(map[string]string{"a": "<x>"}); err != nil || out.String() != "{\"a\":\"<x>\"}\n" {
		t.Errorf("line: %v, %q", err, out)
	}
	if err := p.Value(func() {}); err == nil {
		t.Error("a value that has no JSON gave no error")
	}
}

func TestAgo(t *testing.T) {
	for ago, want := range map[time.Duration]string{
		0:                       "just now",
		500 * time.Millisecond:  "just now",
		-500 * time.Millisecond: "just now",
		time.Second:             "1 second ago",
		59 * time.Second:        "59 seconds ago",
		time.Minute:             "1 minute ago",
		90 * time.Minute:        "1 hour ago",
		47 * time.Hour:          "1 day ago",
		-49 * time.Hour:         "in 2 days",
		31 * 24 * time.Hour:     "1 month ago",
		800 * 24 * time.Hour:    "2 years ago",
		-time.Minute:            "in 1 minute",
	} {
		if got := Ago(now, now.Add(-ago)); got != want {
			t.Errorf("%v ago is %q, want %q", ago, got, want)
		}
	}
	if got := Ago(now, time.Time{}); got != "-" {
		t.Errorf("no time is %q", got)
	}
}

func TestColours(t *testing.T) {
	for _, tt := range []struct {
		tty  bool
		vars map[string]string
		want bool
	}{
		{true, nil, true},
		{false, nil, false},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"NO_COLOR": ""}, true},
		{false, map[string]string{"FORCE_COLOR": "1"}, true},
		{true, map[string]string{"FORCE_COLOR": "0"}, false},
		{true, map[string]string{"FORCE_COLOR": "1", "NO_COLOR": "1"}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
		{true, map[string]string{"TERM": "dumb", "FORCE_COLOR": "1"}, true},
		{true, map[string]string{"CLICOLOR": "0"}, false},
		{true, map[string]string{"TERM": "xterm-256color", "CLICOLOR": "1"}, true},
	} {
		lookup := func(name string) (string, bool) { v, ok := tt.vars[name]; return v, ok }
		if got := Colours(tt.tty, lookup); got != tt.want {
			t.Errorf("terminal %v with %v: %v, want %v", tt.tty, tt.vars, got, tt.want)
		}
	}
	if got := Red.Paint(true, "x"); got != "\x1b[1;31mx\x1b[0m" {
		t.Errorf("red is %q", got)
	}
	if got := Red.Paint(false, "x") + Red.Paint(true, ""); got != "x" {
		t.Errorf("without colour: %q", got)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriteErrorsComeBack(t *testing.T) {
	for _, format := range []Format{Table, JSON, JSONL, YAML} {
		p := Printer{Out: brokenPipe{}, Err: brokenPipe{}, Format: format, Now: now}
		if view.List(p, keys()) == nil || view.One(p, keys()[0]) == nil || p.Value(1, "x") == nil || p.Line(1) == nil {
			t.Errorf("%s: a stream that is gone gave no error", format)
		}
	}
}
