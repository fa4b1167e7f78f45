package openai

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

func TestKeyIsNeededAtHomeOnly(t *testing.T) {
	if _, err := Driver.New(llm.Config{Name: "openai"}); err == nil || !strings.Contains(err.Error(), "OPENAI_API_KEY") {
		t.Errorf("got %v", err)
	}
	if p, err := Driver.New(llm.Config{Name: "lab", BaseURL: "http://127.0.0.1:8000/v1"}); err != nil || p.Name() != "lab" {
		t.Errorf("got %v", err)
	}
	if _, err := Driver.New(llm.Config{Name: "lab", BaseURL: "127.0.0.1:8000"}); err == nil {
		t.Error("a base URL without a scheme was accepted")
	}
}

// TestOtherServers checks what servers that only speak the dialect are sent.
func TestOtherServers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(body), `"role":"system"`) || r.Header.Get("Authorization") != "" || r.URL.Path != "/v1/chat/completions" {
			t.Errorf("%s %v %s", r.URL.Path, r.Header, body)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"model":"m","usage":{"prompt_tokens":1,"completion_tokens":1}}`)
	}))
	defer srv.Close()
	p, err := Driver.New(llm.Config{Name: "lab", BaseURL: srv.URL + "/v1/"})
	if err != nil {
		t.Fatal(err)
	}
	req := &llm.Request{Model: "m", Messages: []llm.Message{{Role: "developer", Content: json.RawMessage(`"x"`)}}}
	if a := llmtest.Collect(t, p.Stream(t.Context(), req)); a.Err != nil || a.Text != "x" {
		t.Errorf("got %+v", a)
	}
}
