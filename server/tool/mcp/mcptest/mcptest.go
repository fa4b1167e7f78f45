// Package mcptest gives tests a real MCP server over streamable HTTP on loopback, whose tools they change while it runs.
package mcptest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Server is a running MCP server. It ends with the test.
type Server struct {
	URL string
	t   testing.TB
	s   *sdk.Server

	mu       sync.Mutex
	requests []http.Header
	fail     int
	calls    []string
}

// Tool is a tool of a Server. A nil Answer says "called NAME with ARGUMENTS".
type Tool struct {
	Name, Description string
	Schema            string // {"type":"object"} when empty
	ReadOnly          bool
	Answer            func(arguments json.RawMessage) *sdk.CallToolResult
}

// Options change how a server behaves.
type Options struct {
	PageSize int
	JSON     bool // answers are JSON and not streams
}

// New starts a server with the tools.
func New(t testing.TB, o Options, tools ...Tool) *Server {
	t.Helper()
	s := &Server{t: t}
	s.s = sdk.NewServer(&sdk.Implementation{Name: "test", Version: "1"}, &sdk.ServerOptions{PageSize: o.PageSize, Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{ListChanged: true}}})
	s.Put(tools...)
	handler := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s.s }, &sdk.StreamableHTTPOptions{JSONResponse: o.JSON})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Header.Clone())
		fail := s.fail
		s.mu.Unlock()
		if fail != 0 {
			http.Error(w, http.StatusText(fail), fail)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	s.URL = web.URL + "/mcp?key=in-the-query"
	return s
}

// Put adds tools, or replaces those of the same names, and tells the clients that the list changed.
func (s *Server) Put(tools ...Tool) {
	for _, t := range tools {
		schema := t.Schema
		if schema == "" {
			schema = `{"type":"object"}`
		}
		made := &sdk.Tool{Name: t.Name, Description: t.Description, InputSchema: json.RawMessage(schema)}
		if t.ReadOnly {
			made.Annotations = &sdk.ToolAnnotations{ReadOnlyHint: true}
		}
		s.s.AddTool(made, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			s.mu.Lock()
			s.calls = append(s.calls, t.Name+" "+string(r.Params.Arguments))
			s.mu.Unlock()
			if t.Answer != nil {
				return t.Answer(r.Params.Arguments), nil
			}
			return Text("called " + t.Name + " with " + string(r.Params.Arguments)), nil
		})
	}
}

// Remove takes tools away.
func (s *Server) Remove(names ...string) { s.s.RemoveTools(names...) }

// Fail makes every request from now on fail with the status; 0 ends that.
func (s *Server) Fail(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = status
}

// Calls are the calls that reached a tool: its name and the arguments.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// Requests are the headers of all requests.
func (s *Server) Requests() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]http.Header(nil), s.requests...)
}

// Text is a result of one text.
func Text(text string) *sdk.CallToolResult {
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}
