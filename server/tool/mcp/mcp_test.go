package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
	"github.com/clawless/clawless/server/tool/mcp/mcptest"
)

const (
	secret   = "s3cr3t-of-the-tenant-0042"
	patience = 20 * time.Second
)

func pool(t *testing.T, o Options) *Pool {
	t.Helper()
	o.Client = testClient(t)
	p := NewPool(o)
	t.Cleanup(p.Close)
	return p
}

func endpoint(s *mcptest.Server) Endpoint {
	return Endpoint{ID: "mcp_1", Name: "shop", URL: s.URL, Credential: credential.Credential{Kind: credential.Bearer, Secret: secret}}
}

func shop(p *Pool, e Endpoint, name string) *Tool {
	return &Tool{Pool: p, Offered: "shop_" + name, Name: name, Server: "shop", Parameters: json.RawMessage(`{"type":"object"}`), Effect: tool.Sends,
		Ready: func(context.Context) (Endpoint, error) { return e, nil }}
}

// TestList: all pages, with a hash that is the same each time and another one whenever anything that a person approves is.
func TestList(t *testing.T) {
	for _, o := range []mcptest.Options{{PageSize: 2}, {PageSize: 2, JSON: true}} {
		var tools []mcptest.Tool
		for i := range 7 {
			tools = append(tools, mcptest.Tool{Name: fmt.Sprintf("t%d", i), Description: "d", Schema: `{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer"}}}`})
		}
		s := mcptest.New(t, o, tools...)
		p := pool(t, Options{})
		first, err := p.List(t.Context(), endpoint(s))
		if err != nil || len(first) != 7 {
			t.Fatalf("%v %v", first, err)
		}
		hashes := map[string]bool{}
		for _, l := range first {
			hashes[l.Hash] = true
			if l.Problem != "" || len(l.Hash) != 64 {
				t.Errorf("%+v", l)
			}
		}
		if len(hashes) != 7 {
			t.Error("two tools have one hash")
		}
		s.Put(mcptest.Tool{Name: "t0", Description: "d", Schema: `{"properties":{"a":{"type":"integer"},"b":{"type":"string"}},   "type":"object"}`}) // the same in other words
		for i, change := range []mcptest.Tool{
			{Name: "t0", Description: "d ", Schema: tools[0].Schema},
			{Name: "t0", Description: "d", Schema: strings.Replace(tools[0].Schema, "integer", "number", 1)},
			{Name: "t0", Description: "d", Schema: tools[0].Schema, ReadOnly: true},
		} {
			again, err := p.List(t.Context(), endpoint(s))
			if err != nil || i == 0 && again[0].Hash != first[0].Hash {
				t.Errorf("the same list hashes differently: %v", err)
			}
			s.Put(change)
			now, err := p.List(t.Context(), endpoint(s))
			if err != nil || now[0].Hash == again[0].Hash || now[1].Hash != again[1].Hash {
				t.Errorf("change %d: %v", i, err)
			}
		}
		for _, h := range s.Requests() {
			if h.Get("Authorization") != "Bearer "+secret {
				t.Fatalf("a request without the secret: %v", h)
			}
		}
	}
}

// TestProblems: what models cannot use is listed with why, and lists without an end are refused.
func TestProblems(t *testing.T) {
	s := mcptest.New(t, mcptest.Options{}, mcptest.Tool{Name: "long", Description: strings.Repeat("ü", maxDescription)},
		mcptest.Tool{Name: "remote", Schema: `{"type":"object","properties":{"a":{"$ref":"https://example.com/x.json"}}}`}, mcptest.Tool{Name: "fine"})
	list, err := pool(t, Options{}).List(t.Context(), endpoint(s))
	if err != nil || len(list) != 3 {
		t.Fatalf("%v %v", list, err)
	}
	for _, l := range list {
		if (l.Problem == "") != (l.Name == "fine") || len(l.Description) > maxDescription {
			t.Errorf("%s: %q", l.Name, l.Problem)
		}
	}
	var many []mcptest.Tool
	for i := range MaxTools + 1 {
		many = append(many, mcptest.Tool{Name: fmt.Sprintf("t%d", i)})
	}
	if _, err := pool(t, Options{}).List(t.Context(), endpoint(mcptest.New(t, mcptest.Options{}, many...))); err == nil || !strings.Contains(err.Error(), "more than 200 tools") {
		t.Errorf("too many: %v", err)
	}
}

// TestCall: texts are joined, what is none is named, failures are told, and all of it is marked with where it is from and holds no secret.
func TestCall(t *testing.T) {
	answers := map[string]struct {
		result *sdk.CallToolResult
		want   string
	}{
		"texts": {&sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "one"}, &sdk.TextContent{Text: "two " + secret}}}, "one\ntwo [secret]"},
		"image": {&sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "look:"}, &sdk.ImageContent{Data: []byte{1}, MIMEType: "image/png"}}}, "look:\n[an image (image/png) that cannot be shown]"},
		"sound": {&sdk.CallToolResult{Content: []sdk.Content{&sdk.AudioContent{Data: []byte{1}, MIMEType: "audio/wav"}}}, "[a sound (audio/wav) that cannot be played]"},
		"link":  {&sdk.CallToolResult{Content: []sdk.Content{&sdk.ResourceLink{URI: "file:///x", Name: "x"}}}, "[a link to x: file:///x]"},
		"embed": {&sdk.CallToolResult{Content: []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "a:b", Text: "inside"}}}}, "inside"},
		"blob":  {&sdk.CallToolResult{Content: []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "a:b", MIMEType: "x/y", Blob: []byte{1}}}}}, "[a resource (x/y) that cannot be shown]"},
		"data":  {&sdk.CallToolResult{StructuredContent: map[string]any{"a": 1}}, `{"a":1}`},
		"none":  {&sdk.CallToolResult{}, "[the tool returned nothing]"},
		"fails": {&sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: "no stock"}}}, "The tool reports that it failed: no stock"},
	}
	var tools []mcptest.Tool
	for name, a := range answers {
		tools = append(tools, mcptest.Tool{Name: name, Answer: func(json.RawMessage) *sdk.CallToolResult { return a.result }})
	}
	for _, o := range []mcptest.Options{{}, {JSON: true}} {
		s := mcptest.New(t, o, append(tools, mcptest.Tool{Name: "echo"})...)
		p, e := pool(t, Options{}), endpoint(s)
		for name, a := range answers {
			res, err := tool.Run(t.Context(), shop(p, e, name), tool.Call{ID: "c"})
			if err != nil || res.Text != a.want {
				t.Errorf("%s: %q, %v", name, res.Text, err)
			}
			if len(res.Taints) != 1 || res.Taints[0] != (tool.Taint{Kind: tool.FromWebhook, Source: "shop/" + name}) {
				t.Errorf("%s: taints %v", name, res.Taints)
			}
		}
		if res, err := tool.Run(t.Context(), shop(p, e, "echo"), tool.Call{Arguments: json.RawMessage(`{"n":9007199254740993}`)}); err != nil || res.Text != `called echo with {"n":9007199254740993}` {
			t.Errorf("echo: %v %v", res, err)
		}
		res, err := tool.Run(t.Context(), shop(p, e, "nothing-of-this-name"), tool.Call{})
		if err != nil || !strings.HasPrefix(res.Text, "The MCP server refused the call: ") || len(res.Taints) != 1 {
			t.Errorf("unknown tool: %v %v", res, err)
		}
		if p.Open() != 1 {
			t.Errorf("%d connections for one server", p.Open())
		}
	}
}

// TestConnections: one is used again, closed when nobody used it for a while, and made anew after that or when the server forgot it.
func TestConnections(t *testing.T) {
	s := mcptest.New(t, mcptest.Options{}, mcptest.Tool{Name: "echo"})
	p, e := pool(t, Options{Idle: 30 * time.Millisecond}), endpoint(s)
	for round := range 3 {
		if _, err := tool.Run(t.Context(), shop(p, e, "echo"), tool.Call{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the idle connection is closed", func() bool { return p.Open() == 0 })
		if len(s.Calls()) != round+1 {
			t.Errorf("calls: %v", s.Calls())
		}
	}
	p.Forget(e.ID)
	p.Close()
	if _, err := tool.Run(t.Context(), shop(p, e, "echo"), tool.Call{}); err == nil || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("after the end: %v", err)
	}
}

// TestListChanged: the server's word that its list changed is passed on.
func TestListChanged(t *testing.T) {
	s := mcptest.New(t, mcptest.Options{}, mcptest.Tool{Name: "echo"})
	told := make(chan string, 16)
	p := pool(t, Options{Changed: func(id string) { told <- id }})
	if _, err := p.List(t.Context(), endpoint(s)); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond) // the stream of notices may open a moment after the connection
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case id := <-told:
			if id != "mcp_1" {
				t.Errorf("told of %s", id)
			}
			return
		case <-tick.C:
			s.Put(mcptest.Tool{Name: "echo", Description: fmt.Sprint(i)})
		case <-deadline:
			t.Fatal("nobody was told")
		}
	}
}

// TestUnreachable: each reason is told in words that hold neither the address's query nor the secret, and after it the server can be reached again.
func TestUnreachable(t *testing.T) {
	s := mcptest.New(t, mcptest.Options{}, mcptest.Tool{Name: "echo"})
	p, e := pool(t, Options{}), endpoint(s)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	elsewhere := mcptest.New(t, mcptest.Options{}, mcptest.Tool{Name: "echo"})
	redirects := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirects.Close()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		piece := []byte(strings.Repeat(" ", 64<<10))
		for range 200 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello")) }))
	defer page.Close()
	for url, want := range map[string]string{dead.URL + "?key=in-the-query": "no connection", redirects.URL: "redirects to another host", endless.URL: "", page.URL: "no MCP endpoint"} {
		other := e
		other.ID, other.URL = "mcp_"+url, url
		for what, err := range map[string]error{"list": second(p.List(t.Context(), other)), "call": second(tool.Run(t.Context(), shop(p, other, "echo"), tool.Call{}))} {
			var u *Unreachable
			if !errors.As(err, &u) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "in-the-query") {
				t.Errorf("%s of %s: %v", what, url, err)
			}
		}
	}
	if len(elsewhere.Requests()) != 0 {
		t.Error("the redirect was followed")
	}
	if _, err := p.List(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{http.StatusUnauthorized, http.StatusInternalServerError, http.StatusNotFound} {
		s.Fail(status)
		if _, err := tool.Run(t.Context(), shop(p, e, "echo"), tool.Call{}); err == nil {
			t.Errorf("%d is no failure", status)
		}
		s.Fail(0)
		if _, err := tool.Run(t.Context(), shop(p, e, "echo"), tool.Call{}); err != nil {
			t.Errorf("after %d: %v", status, err)
		}
	}
}

// TestTimes: a call that hangs ends with its caller or its time, and the connection serves others.
func TestTimes(t *testing.T) {
	hang := make(chan struct{})
	s := mcptest.New(t, mcptest.Options{}, mcptest.Tool{Name: "echo"}, mcptest.Tool{Name: "hangs", Answer: func(json.RawMessage) *sdk.CallToolResult {
		<-hang
		return mcptest.Text("late")
	}})
	defer close(hang)
	p, e := pool(t, Options{}), endpoint(s)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := shop(p, e, "hangs").Call(ctx, tool.Call{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > patience {
		t.Errorf("%v after %s", err, time.Since(start))
	}
	if _, err := tool.Run(t.Context(), shop(p, e, "echo"), tool.Call{}); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("not seen: " + what)
		}
	}
}
