// Package upstream is an OpenAI-compatible model server for load tests: every streamed token carries the nanosecond at which it was written, so that the load
// generator can tell how long whatever stands in between held it back.
package upstream

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// Server answers POST .../chat/completions with one JSON reply of 64 words, or with a stream of Tokens chunks when the request says so, as fast as it is read.
type Server struct {
	Tokens  int
	reply   []byte
	plain   atomic.Int64
	streams atomic.Int64
}

// New returns a server whose streams hold tokens tokens.
func New(tokens int) *Server {
	const words = 64
	reply, err := json.Marshal(map[string]any{
		"id": "chatcmpl-mock", "object": "chat.completion", "created": 1700000000, "model": "gpt-4o-mini",
		"choices": []any{map[string]any{
			"index":         0,
			"message":       map[string]any{"role": "assistant", "content": strings.TrimSpace(strings.Repeat("tok1 ", words))},
			"finish_reason": "stop",
		}},
		"usage": map[string]any{"prompt_tokens": 12, "completion_tokens": words, "total_tokens": 12 + words},
	})
	if err != nil {
		panic(err) // the value above is constant
	}
	return &Server{Tokens: tokens, reply: reply}
}

// Served is how many plain replies and streams were asked for.
func (s *Server) Served() (plain, streams int64) { return s.plain.Load(), s.streams.Load() }

// ServeHTTP answers chat completions, the list of models, and /healthz.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/chat/completions"):
		s.chat(w, r)
	case strings.HasSuffix(r.URL.Path, "/models"):
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1700000000,"owned_by":"openai"}]}`)
	case r.URL.Path == "/healthz":
		io.WriteString(w, "ok\n")
	default:
		http.NotFound(w, r)
	}
}

type chatRequest struct {
	Stream        bool `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	var req chatRequest
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 32<<20))
	if err != nil || json.Unmarshal(body, &req) != nil {
		http.Error(w, `{"error":{"message":"bad request","type":"invalid_request_error"}}`, http.StatusBadRequest)
		return
	}
	if req.Stream {
		s.streams.Add(1)
		s.stream(w, req.StreamOptions.IncludeUsage)
		return
	}
	s.plain.Add(1)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(s.reply)))
	w.Write(s.reply)
}
