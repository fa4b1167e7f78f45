package ollama

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/llmtest"
)

func TestExercise(t *testing.T) { llmtest.Exercise(t, Driver, os.DirFS("testdata")) }

func FuzzAnswers(f *testing.F) { llmtest.Fuzz(f, Driver, os.DirFS("testdata")) }

func TestNoModels(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/models" {
			t.Errorf("path %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"object":"list","data":null}`)
	}))
	defer srv.Close()
	for _, base := range []string{srv.URL, srv.URL + "/", srv.URL + "/v1", srv.URL + "/v1/"} {
		p, err := Driver.New(llm.Config{Name: "ollama", BaseURL: base})
		if err != nil {
			t.Fatal(err)
		}
		if list, err := p.(llm.ModelLister).Models(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("%s: %v, %v", base, list, err)
		}
	}
}

func TestPrepare(t *testing.T) {
	tools := []llm.Tool{{Function: llm.ToolFunction{Name: "f"}}}
	tests := []struct {
		name, param, value string
		refused            bool
		tools              int
	}{
		{"logit_bias", "logit_bias", `{"50256":-100}`, true, 0},
		{"an empty logit_bias", "logit_bias", `{}`, false, 1},
		{"auto", "tool_choice", `"auto"`, false, 1},
		{"none", "tool_choice", `"none"`, false, 0},
		{"null", "tool_choice", `null`, false, 1},
		{"required", "tool_choice", `"required"`, true, 0},
		{"a function", "tool_choice", `{"type":"function","function":{"name":"f"}}`, true, 0},
		{"one at a time", "parallel_tool_calls", `false`, true, 0},
		{"several at a time", "parallel_tool_calls", `true`, false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := &llm.Request{Tools: tools, Params: map[string]json.RawMessage{tt.param: json.RawMessage(tt.value)}}
			own, fail := prepare(req)
			if (fail != nil) != tt.refused || fail != nil && (fail.Param != tt.param || fail.Code != "unsupported_parameter" || fail.Class != llm.ClassInvalid) {
				t.Fatalf("got %v", fail)
			}
			if fail == nil && len(own.Tools) != tt.tools {
				t.Errorf("%d tools", len(own.Tools))
			}
			if len(req.Tools) != 1 || len(req.Params) != 1 {
				t.Error("the caller's request was changed")
			}
		})
	}
}

func TestImages(t *testing.T) {
	for address, refused := range map[string]bool{"data:image/png;base64,AAAA": false, "https://example.com/a.png": true} {
		req := &llm.Request{Messages: []llm.Message{{Role: "user", Content: json.RawMessage(`"x"`)},
			{Role: "user", Content: json.RawMessage(`[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"` + address + `"}}]`)}}}
		if _, fail := prepare(req); (fail != nil) != refused || refused && (fail.Param != "messages[1].content[1].image_url.url" || fail.Class != llm.ClassInvalid) {
			t.Errorf("%s: got %v", address, fail)
		}
	}
}

func TestThink(t *testing.T) {
	for e, want := range map[llm.Effort]string{llm.EffortOff: `"reasoning_effort":"none"`, llm.EffortLow: `"reasoning_effort":"low"`, llm.EffortMinimal: ""} {
		got, fail := think("qwen3", e)
		if got != want || (fail != nil) != (want == "") || fail != nil && !strings.Contains(fail.Message, "off, low, medium, high") {
			t.Errorf("%s: got %s, %v", e, got, fail)
		}
	}
}

func TestProbe(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/version" {
			_, _ = io.WriteString(w, `{"version":"0.12.3"}`)
			return
		}
		http.NotFound(w, r)
	}))
	if !Probe(t.Context(), srv.URL+"/v1") || !Probe(t.Context(), srv.URL) {
		t.Error("the server was not seen")
	}
	srv.Close()
	if Probe(t.Context(), srv.URL) {
		t.Error("a closed server was seen")
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("hello ", 9)) }))
	defer other.Close()
	if Probe(t.Context(), other.URL) {
		t.Error("another server was taken for Ollama")
	}
}
