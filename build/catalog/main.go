// Command catalog writes the table of models and prices from the model catalogue charm.land/catwalk and a supplement of our own.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The source and its date. The module asks for a newer Go than ours, so it is read and not imported.
const (
	module  = "charm.land/catwalk"
	version = "v0.52.86"
	sum     = "h1:NEP2RXZWj8amSaywrhf2TGWPxHEKCxSdJZdnATGFQ4A="
	date    = "2026-11-22"
)

// vendors are the providers of the source that we take, under the names that operators give them.
var vendors = []string{"anthropic", "cerebras", "deepseek", "fireworks", "gemini", "groq", "moonshot", "openai", "xai", "zai"}

// wordsOnly are vendors without structured outputs of their own: their models are asked for JSON in words.
var wordsOnly = []string{"deepseek", "moonshot", "zai"}

// unlevelled are vendors of which a model takes reasoning_effort only where the source lists its levels: Moonshot and Z.ai ignore it without a word at the others.
var unlevelled = []string{"moonshot", "zai"}

type model struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	In     float64  `json:"cost_per_1m_in"`
	Out    float64  `json:"cost_per_1m_out"`
	Write  float64  `json:"cost_per_1m_in_cached"`
	Read   float64  `json:"cost_per_1m_out_cached"`
	Window int64    `json:"context_window"`
	Most   int64    `json:"default_max_tokens"`
	Thinks bool     `json:"can_reason"`
	Levels []string `json:"reasoning_levels"`
	Images bool     `json:"supports_attachments"`
}

type provider struct {
	Large  string  `json:"default_large_model_id"`
	Small  string  `json:"default_small_model_id"`
	Models []model `json:"models"`
}

// entry is one model of our table. Prices are micro-dollars per million tokens.
type entry struct {
	Name       string   `json:"name,omitempty"`
	Class      string   `json:"class,omitempty"`
	Window     int64    `json:"context_window,omitempty"`
	Most       int64    `json:"max_output,omitempty"`
	Input      *int64   `json:"input,omitempty"`
	Output     *int64   `json:"output,omitempty"`
	CacheRead  *int64   `json:"cache_read,omitempty"`
	CacheWrite *int64   `json:"cache_write,omitempty"`
	Tools      bool     `json:"tools,omitempty"`
	Vision     bool     `json:"vision,omitempty"`
	Schema     bool     `json:"json_schema,omitempty"`
	Embedding  bool     `json:"embedding,omitempty"`
	Thinking   []string `json:"thinking,omitempty"`
}

type pair struct {
	Weak   string `json:"weak"`
	Strong string `json:"strong"`
}

type table struct {
	Version string           `json:"version"`
	Source  string           `json:"source"`
	Pairs   map[string]pair  `json:"pairs"`
	Models  map[string]entry `json:"models"`
}

func main() {
	supplement := flag.String("supplement", "catalog/supplement.json", "file with what the source lacks")
	out := flag.String("out", "../server/llm/catalog/catalog.json", "file to write")
	flag.Parse()
	if err := run(*supplement, *out); err != nil {
		fmt.Fprintln(os.Stderr, "catalog:", err)
		os.Exit(1)
	}
}

func run(supplement, out string) error {
	source, err := download()
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it was only read
	t := table{Source: module + " " + version + " (MIT, Copyright (c) 2025 Charmbracelet, Inc), and a supplement from the vendors' own pages",
		Pairs: map[string]pair{}, Models: map[string]entry{}}
	for _, v := range vendors {
		b, err := fs.ReadFile(source, path.Join(module+"@"+version, "internal/providers/configs", v+".json"))
		if err != nil {
			return err
		}
		var p provider
		if err := json.Unmarshal(b, &p); err != nil {
			return fmt.Errorf("%s: %w", v, err)
		}
		t.add(v, p)
	}
	b, err := os.ReadFile(supplement)
	if err != nil {
		return err
	}
	if err := t.amend(b); err != nil {
		return fmt.Errorf("%s: %w", supplement, err)
	}
	t.stamp()
	return os.WriteFile(out, t.lines(), 0o644)
}

// amend takes the supplement over. What it says of a model that the source has too goes before the source, field by field.
func (t *table) amend(b []byte) error {
	var more struct {
		Source string                     `json:"source"`
		Pairs  map[string]pair            `json:"pairs"`
		Models map[string]json.RawMessage `json:"models"`
	}
	if err := strict(b, &more); err != nil {
		return err
	}
	for id, raw := range more.Models {
		e := t.Models[id]
		if err := strict(raw, &e); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		t.Models[id] = e
	}
	maps.Copy(t.Pairs, more.Pairs)
	return nil
}

func strict(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

// stamp names the version: the source, its date, and a mark of all that the table says, so that no two tables have one name.
func (t *table) stamp() {
	t.Version = ""
	sum := sha256.Sum256(t.lines())
	t.Version = date + ".catwalk-" + strings.TrimPrefix(version, "v") + "." + hex.EncodeToString(sum[:3])
}

// download fetches the source as an archive. The go command says that it cannot build it with our Go, and leaves the archive all the same, with its checksum.
func download() (*zip.ReadCloser, error) {
	cmd := exec.CommandContext(context.Background(), "go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir = os.TempDir()
	b, err := cmd.Output()
	var m struct{ Zip, Sum, Error string }
	if json.Unmarshal(b, &m) != nil || m.Zip == "" {
		return nil, fmt.Errorf("downloading %s: %w", module, errors.Join(err, errors.New(m.Error)))
	}
	if m.Sum != sum {
		return nil, fmt.Errorf("downloading %s: its checksum is %s and not %s", module, m.Sum, sum)
	}
	return zip.OpenReader(m.Zip)
}

var dated = regexp.MustCompile(`-20\d{6}$`)

func (t *table) add(vendor string, p provider) {
	for _, m := range p.Models {
		e := entry{Name: m.Name, Window: m.Window, Most: m.Most, Tools: true, Vision: m.Images, Schema: !slices.Contains(wordsOnly, vendor), Class: class(m, p), Thinking: levels(vendor, m)}
		e.price(m)
		t.Models[vendor+"/"+m.ID] = e
		if undated := dated.ReplaceAllString(m.ID, ""); vendor == "anthropic" && undated != m.ID {
			e.price(m)                       // numbers of its own
			t.Models[vendor+"/"+undated] = e // Anthropic's other name for the same model
		}
	}
	weak, strong := t.Models[vendor+"/"+p.Small], t.Models[vendor+"/"+p.Large]
	if weak.Output != nil && strong.Output != nil && *weak.Output < *strong.Output { // otherwise there is nothing to choose between
		t.Pairs[vendor] = pair{p.Small, p.Large}
	}
}

// price takes the source's dollars over. By its names "in cached" is the price of writing to the cache and "out cached" that of reading from it, but at some vendors
// the price of reading stands in the first column, and at some the price of output stands in the second. Nobody reads a cache for more than plain input costs, and
// nobody writes to one for less: so whichever is positive and below the price of input is that of reading, the lower of two, and what is left costs what input costs.
// Everything at zero is a price that the source does not know.
func (e *entry) price(m model) {
	if m.In == 0 && m.Out == 0 {
		return
	}
	read := m.In
	for _, p := range []float64{m.Read, m.Write} {
		if p > 0 {
			read = min(read, p)
		}
	}
	e.Input, e.Output, e.CacheRead, e.CacheWrite = micros(m.In), micros(m.Out), micros(read), micros(max(m.Write, m.In))
}

func micros(dollars float64) *int64 {
	n := int64(math.Round(dollars * 1e6))
	return &n
}

// class is small or large where the vendor itself says so, and follows the price of output otherwise.
func class(m model, p provider) string {
	switch {
	case m.ID == p.Small:
		return "small"
	case m.ID == p.Large:
		return "large"
	case m.Out == 0:
		return ""
	case m.Out < 1.5:
		return "small"
	case m.Out < 8:
		return "medium"
	}
	return "large"
}

// levels are those of ours that the model has.
func levels(vendor string, m model) []string {
	switch {
	case !m.Thinks:
		return nil
	case vendor == "anthropic":
		return claude(m)
	case len(m.Levels) == 0 && slices.Contains(unlevelled, vendor):
		return nil
	case len(m.Levels) == 0:
		return []string{"low", "medium", "high"}
	}
	var out []string
	for _, ours := range []struct{ ours, theirs string }{{"off", "none"}, {"minimal", "minimal"}, {"low", "low"}, {"medium", "medium"}, {"high", "high"}} {
		if slices.Contains(m.Levels, ours.theirs) {
			out = append(out, ours.ours)
		}
	}
	return out
}

// claude are the levels of Anthropic's models. Those that choose themselves how long to think have the level max at the source; the others think within a budget, of
// which every level can be had. Fable and Mythos cannot be kept from thinking.
func claude(m model) []string {
	switch {
	case strings.HasPrefix(m.ID, "claude-fable-"), strings.HasPrefix(m.ID, "claude-mythos-"):
		return []string{"low", "medium", "high"}
	case slices.Contains(m.Levels, "max"):
		return []string{"off", "low", "medium", "high"}
	}
	return []string{"off", "minimal", "low", "medium", "high"}
}

// lines writes one model a line, sorted, so that a change of the source can be read.
func (t *table) lines() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n\"version\": %s,\n\"source\": %s,\n\"pairs\": {\n", text(t.Version), text(t.Source))
	list(&b, t.Pairs)
	b.WriteString("},\n\"models\": {\n")
	list(&b, t.Models)
	b.WriteString("}\n}\n")
	return b.Bytes()
}

func list[V any](b *bytes.Buffer, m map[string]V) {
	names := slices.Sorted(maps.Keys(m))
	for i, n := range names {
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		fmt.Fprintf(b, "%s: %s%s\n", text(n), text(m[n]), comma)
	}
}

func text(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // texts and numbers always marshal
	}
	return strings.TrimSpace(b.String())
}
