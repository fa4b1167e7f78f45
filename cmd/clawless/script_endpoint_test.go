package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

type endpointKey struct{}

// endpoint is somebody's HTTP server on loopback, for the tools of a script: it says what it was asked, and at /mcp it is an MCP server with the one tool search.
type endpoint struct {
	mu          sync.Mutex
	server      *httptest.Server
	description string
}

// cmdEndpoint starts the script's endpoint and puts its address into $ENDPOINT; with a text it changes the description of the MCP tool: endpoint [DESCRIPTION]
func cmdEndpoint(ts *testscript.TestScript, neg bool, args []string) {
	e := ts.Value(endpointKey{}).(*endpoint)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.description = "Search the pages of the harbour."
	if len(args) > 0 {
		e.description = strings.Join(args, " ")
	}
	if e.server == nil {
		mux := http.NewServeMux()
		mux.HandleFunc("/", echo)
		mux.HandleFunc("/mcp", e.mcp)
		e.server = httptest.NewServer(mux)
		ts.Defer(e.server.Close)
	}
	ts.Setenv("ENDPOINT", e.server.URL)
}

// echo answers with what it was asked; of a credential it says only whether it is the right one.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "body": string(body), "known": r.Header.Get("Authorization") == "Bearer let-me-in-please",
	})
}

// mcp speaks as much of the Model Context Protocol over streamable HTTP as a server with one tool needs.
func (e *endpoint) mcp(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			ProtocolVersion string `json:"protocolVersion"`
			Arguments       struct {
				Words string `json:"words"`
			} `json:"arguments"`
		} `json:"params"`
	}
	switch {
	case r.Method == http.MethodDelete:
		return
	case r.Method != http.MethodPost:
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	case json.NewDecoder(r.Body).Decode(&in) != nil:
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	case in.ID == nil:
		w.WriteHeader(http.StatusAccepted)
		return
	}
	e.mu.Lock()
	description := e.description
	e.mu.Unlock()
	results := map[string]any{
		"initialize": map[string]any{"protocolVersion": in.Params.ProtocolVersion, "capabilities": map[string]any{"tools": map[string]any{}}, "serverInfo": map[string]any{"name": "harbour", "version": "1"}},
		"ping":       map[string]any{},
		"tools/list": map[string]any{"tools": []any{map[string]any{"name": "search", "description": description,
			"inputSchema": map[string]any{"type": "object", "properties": map[string]any{"words": map[string]any{"type": "string"}}, "required": []string{"words"}}}}},
		"tools/call": map[string]any{"content": []any{map[string]any{"type": "text", "text": "found: " + in.Params.Arguments.Words}}},
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": in.ID, "result": results[in.Method]})
}

// cmdTurn starts a streamed turn, puts its run into $RUN and goes on as soon as the stream says TEXT; the rest is read beside the script: turn TEXT BODY
func cmdTurn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: turn TEXT BODY")
	}
	req, err := http.NewRequest(http.MethodPost, ts.Getenv("URL")+"/v1/chat/completions", strings.NewReader(args[1]))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+ts.Getenv("KEY"))
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	ts.Check(err)
	ts.Setenv("RUN", resp.Header.Get("Clawless-Run-Id"))
	lines := bufio.NewScanner(resp.Body)
	var said strings.Builder
	for lines.Scan() {
		if strings.Contains(lines.Text(), args[0]) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = io.Copy(io.Discard, resp.Body)
			}()
			ts.Defer(func() {
				_ = resp.Body.Close()
				<-done
			})
			return
		}
		said.WriteString(lines.Text() + "\n")
	}
	_ = resp.Body.Close()
	ts.Fatalf("the turn ended with status %d before it said %s:\n%s", resp.StatusCode, args[0], said.String())
}
