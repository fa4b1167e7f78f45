package llmtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// testKey is the credential the drivers are given; it must reach the server in a header and appear nowhere else.
const testKey = "sk-test-0123456789-llmtest"

// rig is one provider in front of one server.
type rig struct {
	provider llm.Provider
	set      *fixtureSet
}

// start serves h, which gets every POST, and makes the driver's provider of it. GET answers the list of models.
func start(t *testing.T, drv llm.Driver, set *fixtureSet, idle time.Duration, h http.HandlerFunc) *rig {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(set.files["models.json"])
			return
		}
		checkRequest(t, drv, r)
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	p, err := drv.New(llm.Config{Name: drv.Name, BaseURL: srv.URL, APIKey: testKey, AccountID: "0123456789abcdef0123456789abcdef", Idle: idle})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{provider: p, set: set}
}

// checkRequest looks at what the driver sent.
func checkRequest(t *testing.T, drv llm.Driver, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the driver was cancelled while it sent
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !json.Valid(body) || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the request is not JSON: %s, %.200s", r.Header.Get("Content-Type"), body)
	}
	if bytes.Contains(body, []byte(testKey)) || strings.Contains(r.URL.String(), testKey) {
		t.Error("the key is in the body or in the address")
	}
	sent := false
	for _, values := range r.Header {
		sent = sent || strings.Contains(strings.Join(values, " "), testKey)
	}
	if drv.NeedsKey && !sent {
		t.Error("the key is in no header")
	}
}

// ask collects one call of the request that fits the fixtures.
func (r *rig) ask(t *testing.T, stream bool) Answer {
	t.Helper()
	return Collect(t, r.provider.Stream(t.Context(), request(stream)))
}

// request is an ordinary question with a tool offered.
func request(stream bool) *llm.Request {
	return &llm.Request{
		Model:  "a-model",
		Stream: stream,
		Messages: []llm.Message{
			{Role: "system", Content: json.RawMessage(`"You are brief."`)},
			{Role: "user", Content: json.RawMessage(`"What is the weather in Zürich?"`)},
		},
		Tools: []llm.Tool{{Type: "function", Function: llm.ToolFunction{Name: "get_weather", Description: "Looks up the weather of a city.",
			Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)}}},
		Params: map[string]json.RawMessage{"max_tokens": json.RawMessage("256"), "temperature": json.RawMessage("0")},
	}
}

// reply serves a whole body with the type its name says.
func reply(name string, status int, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case strings.HasSuffix(name, ".sse"):
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		case strings.HasSuffix(name, ".html"):
			w.Header().Set("Content-Type", "text/html")
		default:
			w.Header().Set("Content-Type", "application/json")
		}
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "2")
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
}

// pieces serves the body in flushed pieces and then calls end, which may hold the connection or tear it.
func pieces(body []byte, size int, end func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		rc := http.NewResponseController(w)
		_ = rc.Flush()
		for rest := body; len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := w.Write(rest[:n]); err != nil {
				return
			}
			_ = rc.Flush()
			rest = rest[n:]
		}
		if end != nil {
			end(w, r)
		}
	}
}

// tear closes the connection without ending the body.
func tear(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// wantsStream reads the flag that every dialect calls the same.
func wantsStream(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var req struct {
		Stream bool `json:"stream"`
	}
	return json.Unmarshal(body, &req) == nil && req.Stream
}
