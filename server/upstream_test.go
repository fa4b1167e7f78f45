package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// upstream is a provider on loopback that speaks OpenAI's chat dialect. Each model does what the test scripted for it.
type upstream struct {
	t      testing.TB
	url    string
	mu     sync.Mutex
	script map[string]func(*upcall)
	seen   map[string][]*upcall
	open   int
}

// upcall is one call of the upstream.
type upcall struct {
	at     time.Time
	header http.Header
	raw    []byte
	body   struct {
		Model    string           `json:"model"`
		Stream   bool             `json:"stream"`
		Messages []map[string]any `json:"messages"`
	}
	w    http.ResponseWriter
	r    *http.Request
	kept string          // what was said of an answer in one piece
	gone <-chan struct{} // closed when the caller has hung up
	over chan struct{}   // closed when the script has ended
}

func newUpstream(t testing.TB) *upstream {
	u := &upstream{t: t, script: map[string]func(*upcall){}, seen: map[string][]*upcall{}}
	srv := httptest.NewServer(u)
	u.url = srv.URL
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return u
}

// on scripts a model: its id for callers is lab/model.
func (u *upstream) on(model string, fn func(*upcall)) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.script[model] = fn
	return "lab/" + model
}

// calls are those of a model so far.
func (u *upstream) calls(model string) []*upcall {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*upcall(nil), u.seen[strings.TrimPrefix(model, "lab/")]...)
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/models") {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"small","object":"model","created":1700000000,"owned_by":"lab"},{"id":"org/large","object":"model","created":1700000001,"owned_by":"lab"}]}`)
		return
	}
	c := &upcall{at: time.Now(), header: r.Header.Clone(), w: w, r: r, gone: r.Context().Done(), over: make(chan struct{})}
	defer close(c.over)
	c.raw, _ = io.ReadAll(r.Body)
	if err := json.Unmarshal(c.raw, &c.body); err != nil {
		u.t.Errorf("the upstream got no JSON: %v", err)
	}
	u.mu.Lock()
	u.seen[c.body.Model] = append(u.seen[c.body.Model], c)
	fn := u.script[c.body.Model]
	u.open++
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.open--
		u.mu.Unlock()
	}()
	if fn == nil {
		fn = answer("ok")
	}
	fn(c)
}

// busy is how many calls are under way.
func (u *upstream) busy() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open
}

// answer is a script that says the pieces and reports one token for each, and three for the prompt.
func answer(pieces ...string) func(*upcall) {
	return func(c *upcall) {
		for _, p := range pieces {
			c.text(p)
		}
		c.finish("stop", 3, len(pieces))
	}
}

// refuse is a script that answers with a status and a body.
func refuse(status int, contentType, body string, header ...string) func(*upcall) {
	return func(c *upcall) {
		c.w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(header); i += 2 {
			c.w.Header().Set(header[i], header[i+1])
		}
		c.w.WriteHeader(status)
		fmt.Fprint(c.w, body)
	}
}

// inTurn is a script that does something else each time; the last one goes on.
func inTurn(scripts ...func(*upcall)) func(*upcall) {
	var n atomic.Int64
	return func(c *upcall) { scripts[min(int(n.Add(1)), len(scripts))-1](c) }
}

// text sends one piece of the answer; without a stream it is kept for finish.
func (c *upcall) text(s string) {
	if !c.body.Stream {
		c.kept += s
		return
	}
	b, _ := json.Marshal(s)
	c.frame(`{"id":"up-1","object":"chat.completion.chunk","created":1,"model":"` + c.body.Model + `","choices":[{"index":0,"delta":{"content":` + string(b) + `},"finish_reason":null}]}`)
}

// frame sends one event.
func (c *upcall) frame(data string) { c.write("data: " + data + "\n\n") }

func (c *upcall) write(s string) {
	if c.w.Header().Get("Content-Type") == "" {
		c.w.Header().Set("Content-Type", "text/event-stream")
	}
	fmt.Fprint(c.w, s)
	c.w.(http.Flusher).Flush()
}

// finish ends the answer with its usage; negative counts send none.
func (c *upcall) finish(reason string, input, output int) {
	usage := "null"
	if input >= 0 {
		usage = fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, input, output, input+output)
	}
	if c.body.Stream {
		c.frame(`{"id":"up-1","object":"chat.completion.chunk","created":1,"model":"` + c.body.Model + `","choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}`)
		if usage != "null" {
			c.frame(`{"id":"up-1","object":"chat.completion.chunk","created":1,"model":"` + c.body.Model + `","choices":[],"usage":` + usage + `}`)
		}
		c.frame("[DONE]")
		return
	}
	content, _ := json.Marshal(c.kept)
	c.json(`{"id":"up-1","object":"chat.completion","created":1,"model":"` + c.body.Model + `","choices":[{"index":0,"message":{"role":"assistant","content":` + string(content) +
		`},"finish_reason":"` + reason + `"}],"usage":` + usage + `}`)
}

// json sends an answer in one piece.
func (c *upcall) json(body string) {
	c.w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(c.w, body)
}

// until waits for go-ahead and reports false when the caller hung up first.
func (c *upcall) until(ahead <-chan struct{}) bool {
	select {
	case <-ahead:
		return true
	case <-c.gone:
		return false
	}
}

// said are the texts of the messages that the upstream got, as role:content.
func (c *upcall) said() []string {
	var out []string
	for _, m := range c.body.Messages {
		text, ok := m["content"].(string)
		if !ok {
			b, _ := json.Marshal(m["content"])
			text = string(b)
		}
		out = append(out, fmt.Sprint(m["role"], ":", text))
	}
	return out
}
