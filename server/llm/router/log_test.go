package router_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/openai"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/llm/router/upstreamtest"
)

// logged is a router over one provider at the server that logs into a buffer.
func logged(t *testing.T, s *upstreamtest.Server) (*router.Router, *bytes.Buffer) {
	t.Helper()
	cfg := limits
	cfg.Name, cfg.BaseURL, cfg.Client, cfg.APIKey, cfg.Log = "lab", s.URL, s.Client, "sk-one", slog.New(slog.DiscardHandler)
	p, err := openai.Driver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	return router.New([]llm.Provider{p}, router.Options{Log: slog.New(slog.NewTextHandler(&out, nil))}), &out
}

// TestLogHoldsNoPrompt: what a provider repeats of a request stays out of the log, and what it says of our account or its load is cut.
func TestLogHoldsNoPrompt(t *testing.T) {
	const prompt = "my secret diary"
	say := func(status int, body string) upstreamtest.Reply {
		return upstreamtest.Reply{upstreamtest.Head(status, "Content-Type", "application/json"), upstreamtest.Write(body)}
	}
	for _, tt := range []struct {
		name  string
		reply upstreamtest.Reply
		want  []string
	}{
		{"a 400 that repeats the prompt", upstreamtest.Failure(400, "", "cannot read '"+prompt+"'"), []string{"model=m", "key=1", "provider=lab", "class=invalid_request", "status=400"}},
		{"a 500 that does", upstreamtest.Failure(500, "", "crashed at "+prompt), []string{"class=server", "status=500"}},
		{"a code that does", say(400, `{"error":{"message":"no","type":"my secret diary","code":"my secret diary"}}`), []string{"code=\"\"", "type=\"\""}},
		{"a code and a type", say(400, `{"error":{"message":"no","type":"invalid_request_error","code":"bad_image"}}`), []string{"code=bad_image", "type=invalid_request_error"}},
		{"a stream that does", upstreamtest.Reply{upstreamtest.Streaming(), upstreamtest.Write(upstreamtest.ErrorFrame("server_error", prompt))}, []string{"class=server"}},
		{"a frame that is none", upstreamtest.Reply{upstreamtest.Streaming(), upstreamtest.Write("data: {\"" + prompt + "\n\n")}, []string{"class=broken_stream"}},
		{"a limit", upstreamtest.Failure(429, "", "slow down, "+strings.Repeat("x", 1000)), []string{"class=rate_limit", `words="slow down, xxx`}},
		{"a key", upstreamtest.Failure(401, "", "no such key"), []string{"class=auth", `words="no such key"`}},
		{"a connection that tears", upstreamtest.Reply{upstreamtest.Tear()}, []string{"class=unreachable", "error="}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := upstreamtest.NewInMemory(t)
			s.On("m", tt.reply)
			r, out := logged(t, s)
			if a := ask(t.Context(), t, r, "m"); a.fail == nil {
				t.Errorf("%s: it answers", tt.name)
			}
			got := out.String()
			for _, w := range tt.want {
				if !strings.Contains(got, w) {
					t.Errorf("%s: %q is missing in %s", tt.name, w, got)
				}
			}
			for line := range strings.Lines(got) {
				if len(line) > 600 || strings.Contains(line, prompt) || strings.Contains(line, "diary") {
					t.Errorf("%s: the log holds %s", tt.name, line)
				}
			}
		})
	}
}

// gossip cannot list its models and says more than it should.
type gossip struct {
	llm.Provider
	err error
}

func (gossip) Name() string { return "lab" }

func (g gossip) Models(context.Context) ([]llm.Model, error) { return nil, g.err }

// TestLogOfLists: the same holds for a list that cannot be read.
func TestLogOfLists(t *testing.T) {
	for want, err := range map[string]error{
		"class=server status=0": errors.New("unreadable: secret"), `class=auth status=401 code="" type="" words="no such key"`: &llm.Error{Class: llm.ClassAuth, Provider: "lab", Status: 401, Message: "no such key"},
		"class=invalid_request": &llm.Error{Class: llm.ClassInvalid, Provider: "lab", Message: "secret"},
	} {
		var out bytes.Buffer
		router.New([]llm.Provider{gossip{err: err}}, router.Options{Log: slog.New(slog.NewTextHandler(&out, nil))}).Models(t.Context())
		if got := out.String(); !strings.Contains(got, "provider=lab") || !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%s: the log holds %s", want, got)
		}
	}
}
