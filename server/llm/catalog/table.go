package catalog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the table
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"github.com/clawless/clawless/server/llm"
)

//go:embed catalog.json
var embedded []byte

const (
	maxFile   = 4 << 20 // bytes of an operator's file
	maxPrice  = 1e12    // micro-dollars per million tokens: a dollar a token
	maxTokens = 1 << 40
)

// Table is a version of what is known of models. It never changes; With makes another.
type Table struct {
	version  string
	models   map[string]Info
	families []string // the entries that end in a star, without it and longest first
	pairs    map[string]pair
}

type pair struct {
	Weak   string `json:"weak"`
	Strong string `json:"strong"`
}

type entry struct {
	Name       string       `json:"name"`
	Class      Class        `json:"class"`
	Window     int64        `json:"context_window"`
	Most       int64        `json:"max_output"`
	Input      *int64       `json:"input"`
	Output     *int64       `json:"output"`
	CacheRead  *int64       `json:"cache_read"`
	CacheWrite *int64       `json:"cache_write"`
	Tools      bool         `json:"tools"`
	Vision     bool         `json:"vision"`
	Schema     bool         `json:"json_schema"`
	Embedding  bool         `json:"embedding"`
	Thinking   []llm.Effort `json:"thinking"`
}

type file struct {
	Version string           `json:"version"`
	Source  string           `json:"source"`
	Pairs   map[string]pair  `json:"pairs"`
	Models  map[string]entry `json:"models"`
}

var builtin = sync.OnceValue(func() *Table {
	f, err := read(embedded)
	if err != nil {
		panic("catalog: the built-in table: " + err.Error()) // every test of this package reads it
	}
	t := &Table{version: f.Version, models: map[string]Info{}, pairs: f.Pairs}
	t.take(f)
	return t
})

// Default returns the built-in table. It is read on first use.
func Default() *Table { return builtin() }

// Version names the table: its date and source, and a mark of the operator's file where there is one.
func (t *Table) Version() string { return t.version }

// With returns a table in which the operator's entries go before ours. The error says which entry and field is wrong.
func (t *Table) With(r io.Reader) (*Table, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, errors.New("the file is larger than 4 MiB")
	}
	f, err := read(b)
	if err != nil {
		return nil, err
	}
	if err := twice(b); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	own := &Table{version: t.version + "+" + hex.EncodeToString(sum[:4]), models: maps.Clone(t.models), pairs: maps.Clone(t.pairs)}
	own.take(f)
	maps.Copy(own.pairs, f.Pairs)
	return own, nil
}

func read(b []byte) (file, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, unread(b, d.InputOffset(), err)
	}
	if _, err := d.Token(); err != io.EOF {
		return f, fmt.Errorf("line %d: something stands after the table", line(b, d.InputOffset()))
	}
	for _, id := range slices.Sorted(maps.Keys(f.Models)) {
		if err := f.Models[id].check(id); err != nil {
			return f, fmt.Errorf("models: %s: %w", id, err)
		}
	}
	for vendor, p := range f.Pairs {
		if p.Weak == "" || p.Strong == "" {
			return f, fmt.Errorf("pairs: %s: needs weak and strong", vendor)
		}
	}
	return f, nil
}

func (e entry) check(id string) error {
	provider, model, ok := strings.Cut(id, "/")
	if !ok || provider == "" || model == "" {
		return errors.New("is not provider/model")
	}
	if i := strings.IndexByte(id, '*'); i >= 0 && i < len(id)-1 || strings.Contains(provider, "*") {
		return errors.New("a star stands for the end of a model's name and nothing else")
	}
	if (e.Input == nil) != (e.Output == nil) {
		return errors.New("give both input and output, or neither")
	}
	if e.Input == nil && (e.CacheRead != nil || e.CacheWrite != nil) {
		return errors.New("cache prices need input and output")
	}
	for name, p := range map[string]*int64{"input": e.Input, "output": e.Output, "cache_read": e.CacheRead, "cache_write": e.CacheWrite} {
		if p != nil && (*p < 0 || *p > maxPrice) {
			return fmt.Errorf("%s: is not between 0 and %d micro-dollars per million tokens", name, int64(maxPrice))
		}
	}
	if e.Window < 0 || e.Window > maxTokens || e.Most < 0 || e.Most > maxTokens {
		return errors.New("context_window and max_output are numbers of tokens")
	}
	if !slices.Contains([]Class{"", Small, Medium, Large}, e.Class) {
		return errors.New("class: is not small, medium or large")
	}
	for _, l := range e.Thinking {
		if !slices.Contains(llm.Efforts, l) {
			return fmt.Errorf("thinking: %q is not off, minimal, low, medium or high", l)
		}
	}
	return nil
}

func (t *Table) take(f file) {
	for id, e := range f.Models {
		i := Info{ID: id, Name: e.Name, Class: e.Class, ContextWindow: e.Window, MaxOutput: e.Most, Tools: e.Tools, Vision: e.Vision, Schema: e.Schema, Embedding: e.Embedding, Efforts: e.Thinking}
		if e.Input != nil {
			i.Priced = true
			i.Price = Price{Input: *e.Input, Output: *e.Output, CacheRead: or(e.CacheRead, *e.Input), CacheWrite: or(e.CacheWrite, *e.Input)}
		}
		t.models[id] = i
	}
	t.families = nil
	for id := range t.models {
		if family, ok := strings.CutSuffix(id, "*"); ok {
			t.families = append(t.families, family)
		}
	}
	slices.SortFunc(t.families, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
}

func or(p *int64, otherwise int64) int64 {
	if p == nil {
		return otherwise
	}
	return *p
}

// Find returns what is known of a model of the provider called name: its own entry, else that of the vendor whose model it is; vendor is empty where the provider is
// not at its vendor's own address. An entry that ends in a star stands for the models that have none of their own and whose names begin like it, the longest first.
func (t *Table) Find(vendor, name, model string) (Info, bool) {
	ids := [2]string{name + "/" + model, vendor + "/" + model}
	for _, id := range ids {
		if i, ok := t.models[id]; ok {
			return i, true
		}
	}
	for _, id := range ids {
		for _, family := range t.families {
			if strings.HasPrefix(id, family) {
				return t.models[family+"*"], true
			}
		}
	}
	return Info{}, false
}

// Pair is the small and the large chat model between which auto chooses at a vendor, without the vendor's name.
func (t *Table) Pair(vendor string) (weak, strong string, ok bool) {
	p, ok := t.pairs[vendor]
	return p.Weak, p.Strong, ok
}

// Cost is what the tokens cost in micro-dollars, rounded up to a whole one. Cached tokens are part of the input and have their own prices. A count below zero is none,
// and a cost beyond int64 is the largest one.
func (p Price) Cost(u llm.Usage) int64 {
	read, write := max(0, u.Cached), max(0, u.CacheWrite)
	fresh := max(0, u.Input-read-write)
	var hi, lo uint64
	for _, part := range [4][2]int64{{p.Input, fresh}, {p.CacheRead, read}, {p.CacheWrite, write}, {p.Output, max(0, u.Output)}} {
		h, l := bits.Mul64(uint64(max(0, part[0])), uint64(part[1]))
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi += h + carry
	}
	const million = 1_000_000
	if hi >= million {
		return math.MaxInt64
	}
	q, rest := bits.Div64(hi, lo, million)
	if rest > 0 {
		q++
	}
	return int64(min(q, math.MaxInt64))
}
