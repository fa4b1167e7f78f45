package anthropic

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/llmtest"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/frame"
)

func TestExercise(t *testing.T) { llmtest.Exercise(t, Driver, os.DirFS("testdata")) }

func FuzzAnswers(f *testing.F) { llmtest.Fuzz(f, Driver, os.DirFS("testdata")) }

func TestHeadersAndPages(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "key" || r.Header.Get("Anthropic-Version") != version || r.Header.Get("Authorization") != "" {
			t.Errorf("headers %v", r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/v1/messages":
			_, _ = io.WriteString(w, `{"type":"message","model":"m","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
		case r.URL.Path == "/v1/models" && r.URL.Query().Get("after_id") == "":
			_, _ = io.WriteString(w, `{"data":[{"id":"a","type":"model","created_at":"2025-05-14T00:00:00Z"}],"has_more":true,"last_id":"a"}`)
		case r.URL.Path == "/v1/models" && r.URL.Query().Get("after_id") == "a":
			_, _ = io.WriteString(w, `{"data":[{"id":"b","type":"model"}],"has_more":false,"last_id":"b"}`)
		default:
			t.Errorf("path %s", r.URL)
		}
	}))
	defer srv.Close()
	for _, base := range []string{srv.URL, srv.URL + "/", srv.URL + "/v1"} {
		p, err := Driver.New(llm.Config{Name: "anthropic", BaseURL: base, APIKey: "key"})
		if err != nil {
			t.Fatal(err)
		}
		if a := llmtest.Collect(t, p.Stream(t.Context(), request(t, `{"model":"m","messages":[{"role":"user","content":"x"}]}`))); a.Text != "x" {
			t.Errorf("got %+v", a)
		}
		list, err := p.(llm.ModelLister).Models(t.Context())
		if err != nil || fmt.Sprint(list) != "[{a anthropic 1747180800 0} {b anthropic 0 0}]" {
			t.Errorf("%v, %v", list, err)
		}
	}
	if _, err := Driver.New(llm.Config{Name: "anthropic"}); err == nil || !strings.Contains(err.Error(), "ANTHROPIC_API_KEY") {
		t.Errorf("got %v", err)
	}
}

// TestRefusedBeforeTheCall checks that a parameter Anthropic does not have costs no call.
func TestRefusedBeforeTheCall(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the server was called") }))
	defer srv.Close()
	p, err := Driver.New(llm.Config{Name: "anthropic", BaseURL: srv.URL, APIKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	a := llmtest.Collect(t, p.Stream(t.Context(), request(t, `{"model":"m","logit_bias":{"1":1},"messages":[]}`)))
	if a.Err == nil || a.Err.Param != "logit_bias" || a.Err.Provider != "anthropic" {
		t.Errorf("got %v", a.Err)
	}
}

// FuzzAgree reads an event after another one twice, with and without the short cut for events of the same shape, and compares.
func FuzzAgree(f *testing.F) {
	text := `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}   }`
	for _, pair := range [][2]string{
		{text, strings.Replace(text, `"a"`, `"b\u00fc"`, 1)},
		{text, strings.Replace(text, `"a"}   `, `"b"}`, 1)},
		{text, strings.Replace(text, `text_delta`, `thinking_delta`, 1)},
		{text, strings.Replace(text, `"text":"a"`, `"text":"a","text":"b"`, 1)},
		{`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"b"}} `},
		{`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`, `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{"}}`},
	} {
		f.Add(pair[0], pair[1], pair[1], pair[0])
	}
	begin := `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`
	args := `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a"} }`
	f.Add(begin, args, args, strings.Replace(args, " }", "}", 1))
	f.Add(begin, args, begin, args)
	f.Add(args, begin, args, args)
	f.Fuzz(func(t *testing.T, first, second, third, fourth string) {
		e := &wire.Endpoint{Provider: "anthropic"}
		quick, slow := &decoder{e: e}, &decoder{e: e}
		for _, data := range []string{first, second, third, fourth} {
			slow.shape = frame.Template{}
			a, okA, stopA, failA := quick.read([]byte(data))
			b, okB, stopB, failB := slow.read([]byte(data))
			for _, c := range []*llm.Chunk{&a, &b} {
				for i := range c.ToolCalls {
					if strings.HasPrefix(c.ToolCalls[i].ID, "toolu_") {
						c.ToolCalls[i].ID = "made up"
					}
				}
			}
			if okA != okB || stopA != stopB || fmt.Sprintf("%q", fmt.Sprint(a)) != fmt.Sprintf("%q", fmt.Sprint(b)) || (failA == nil) != (failB == nil) {
				t.Fatalf("after %q %q %q the event %q is %v, %v, but in full %v, %v", first, second, third, data, a, failA, b, failB)
			}
		}
	})
}
