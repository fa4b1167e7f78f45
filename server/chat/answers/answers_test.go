package answers

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm"
)

func TestKey(t *testing.T) {
	base := func() *llm.Request {
		return &llm.Request{Messages: []llm.Message{{Role: "user", Content: llm.Text("a")}, {Role: "user", Content: llm.Text("b")}},
			Params: map[string]json.RawMessage{"temperature": json.RawMessage("0"), "seed": json.RawMessage("1")}}
	}
	same := Key("t", "m", base())
	if Key("t", "m", base()) != same {
		t.Error("the same question has two keys")
	}
	seen := map[string]string{same: "base"}
	for name, change := range map[string]func(r *llm.Request) (tenant, model string){
		"tenant": func(*llm.Request) (string, string) { return "u", "m" },
		"model":  func(*llm.Request) (string, string) { return "t", "n" },
		"split":  func(*llm.Request) (string, string) { return "tm", "" },
		"text": func(r *llm.Request) (string, string) {
			r.Messages[0].Content = llm.Text("c")
			return "t", "m"
		},
		"joined": func(r *llm.Request) (string, string) {
			r.Messages = []llm.Message{{Role: "user", Content: llm.Text("ab")}}
			return "t", "m"
		},
		"role": func(r *llm.Request) (string, string) {
			r.Messages[0].Role = "system"
			return "t", "m"
		},
		"effort": func(r *llm.Request) (string, string) {
			r.Effort = llm.EffortHigh
			return "t", "m"
		},
		"param": func(r *llm.Request) (string, string) {
			r.Params["temperature"] = json.RawMessage("1")
			return "t", "m"
		},
		"tool": func(r *llm.Request) (string, string) {
			r.Tools = []llm.Tool{{Type: "function", Function: llm.ToolFunction{Name: "f"}}}
			return "t", "m"
		},
	} {
		r := base()
		tenant, model := change(r)
		key := Key(tenant, model, r)
		if other := seen[key]; other != "" {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[key] = name
	}
}

func TestCache(t *testing.T) {
	c, now := New(), time.Now()
	c.Put("k", llm.Chunk{Text: "x"}, now.Add(time.Minute))
	if got, ok := c.Get("k", now); !ok || got.Text != "x" {
		t.Errorf("got %+v, %v", got, ok)
	}
	if _, ok := c.Get("k", now.Add(time.Minute)); ok {
		t.Error("an answer is served after its time")
	}
	if _, ok := c.Get("other", now); ok {
		t.Error("an answer is served to another question")
	}
	c.Put("long", llm.Chunk{Text: strings.Repeat("x", maxOne)}, now.Add(time.Minute))
	if _, ok := c.Get("long", now); ok {
		t.Error("an answer of 256 KiB is kept")
	}
}
