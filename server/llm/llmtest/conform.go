package llmtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// ExpectModel is a model for which the conformance table has a column.
type ExpectModel struct {
	Model   string `json:"model"`
	Title   string `json:"title"`    // what the column says instead of the model
	BaseURL string `json:"base_url"` // empty: the vendor's own address
}

// listener stands for the vendor's server: whatever address a driver calls, it hears the body and answers.
type listener struct {
	mu     sync.Mutex
	bodies [][]byte
	srv    *url.URL
}

// RoundTrip sends the request to the loopback server instead of its address.
func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	own := r.Clone(r.Context())
	own.URL.Scheme, own.URL.Host, own.Host = l.srv.Scheme, l.srv.Host, l.srv.Host
	return http.DefaultTransport.RoundTrip(own)
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request, set *fixtureSet) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the driver hung up
	}
	l.mu.Lock()
	l.bodies = append(l.bodies, body)
	l.mu.Unlock()
	reply("chat.response.json", http.StatusOK, set.files["chat.response.json"])(w, r)
}

// take returns the only body since the last time, nil when there was none.
func (l *listener) take(t *testing.T) []byte {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.bodies
	l.bodies = nil
	switch len(heard) {
	case 0:
		return nil
	case 1:
		return heard[0]
	}
	t.Fatalf("one call became %d", len(heard))
	return nil
}

// conform sends every probe for every model that the fixtures name, as it would go to the vendor, and notes what became of it.
func conform(t *testing.T, drv llm.Driver, set *fixtureSet) (out []Column) {
	for _, m := range set.expect.Probed {
		t.Run(m.Model, func(t *testing.T) {
			l := &listener{}
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.ServeHTTP(w, r, set) }))
			t.Cleanup(srv.Close)
			l.srv, _ = url.Parse(srv.URL) // it is one
			base := m.BaseURL
			if base == "" {
				base = drv.DefaultURL
			}
			p, err := drv.New(llm.Config{Name: drv.Name, BaseURL: base, APIKey: testKey, AccountID: "0123456789abcdef0123456789abcdef", Client: &http.Client{Transport: l}})
			if err != nil {
				t.Fatal(err)
			}
			title := m.Title
			if title == "" {
				title = "`" + strings.TrimPrefix(m.Model, "@cf/") + "`"
			}
			c := Column{Title: "`" + drv.Name + "` " + title, Cells: map[string]string{}}
			sent := map[string][]byte{}
			for i := range probes {
				c.Cells[probes[i].row], sent[probes[i].row] = probes[i].observe(t, p, m.Model, l)
			}
			for i := 1; i < len(llm.Efforts); i++ {
				a, b := sent["thinking: "+string(llm.Efforts[i-1])], sent["thinking: "+string(llm.Efforts[i])]
				if a != nil && bytes.Equal(a, b) {
					t.Errorf("thinking %s and %s are one and the same", llm.Efforts[i-1], llm.Efforts[i])
				}
			}
			out = append(out, c)
		})
	}
	return out
}

// observe sends the request without and with what the probe asks for and compares what the server hears.
func (p *probe) observe(t *testing.T, provider llm.Provider, model string, l *listener) (string, []byte) {
	t.Helper()
	if a := Collect(t, provider.Stream(t.Context(), p.before(model))); a.Err != nil {
		t.Fatalf("%s: the request without it fails: %v", p.row, a.Err)
	}
	before := l.take(t)
	req := p.after(model)
	a := Collect(t, provider.Stream(t.Context(), req))
	after := l.take(t)
	native := llm.NativeSchema(provider, req)
	if a.Err != nil {
		if !p.refuses(a.Err) || after != nil {
			t.Errorf("%s: got %v after a call of %d bytes", p.row, a.Err, len(after))
		}
		if p.param == "response_format" && native {
			t.Errorf("%s: the provider says that it holds the answer to it, and refuses", p.row)
		}
		return Refused, nil
	}
	if p.param == "response_format" && !native {
		t.Errorf("%s: the provider says that it does not hold the answer to it, and takes it", p.row)
	}
	changed := !bytes.Equal(before, after) && bytes.Contains(after, []byte(p.mark))
	switch {
	case changed || p.usual:
		return Yes, after
	case p.hint:
		return Nothing, nil
	}
	t.Errorf("%s: it is neither sent nor refused", p.row)
	return "left out in silence", nil
}

// Local observes a provider without a network, whose answers are all there is to see, with a request that it answers in several chunks.
func Local(t *testing.T, p llm.Provider, model string) *Report {
	t.Helper()
	r := &Report{Driver: p.Name(), Behaviour: map[string]string{}}
	plain := probes[0].before(model)
	passed := t.Run("behaviour", func(t *testing.T) { Behaves(t, p, *plain) })
	for _, row := range []string{rowStreamed, rowWhole, rowUsage, rowCancel, rowLeave} {
		r.saw(row, passed)
	}
	if _, ok := p.(llm.ModelLister); ok {
		r.saw(rowModels, true)
	}
	if _, ok := p.(llm.Embedder); ok {
		r.saw(rowEmbeddings, true)
	}
	c := Column{Title: "`" + p.Name() + "` `" + model + "`", Cells: map[string]string{}}
	for i := range probes {
		pr := &probes[i]
		before, after := Collect(t, p.Stream(t.Context(), pr.before(model))), Collect(t, p.Stream(t.Context(), pr.after(model)))
		switch {
		case after.Err != nil && !pr.refuses(after.Err):
			t.Errorf("%s: got %v", pr.row, after.Err)
		case after.Err != nil:
			c.Cells[pr.row] = Refused
		case !same(&before, &after) || pr.usual:
			c.Cells[pr.row] = Yes
		case pr.hint:
			c.Cells[pr.row] = Nothing
		default:
			c.Cells[pr.row] = NoEffect
		}
		r.sawAnswer(".sse", &ExpectAnswer{Calls: make([]string, len(after.Calls)), Reasoning: after.Reasoning, Finish: after.Finish}, true)
	}
	r.Columns = []Column{c}
	return r
}

// same reports whether two answers say the same.
func same(a, b *Answer) bool {
	return a.Text == b.Text && a.Reasoning == b.Reasoning && a.Finish == b.Finish && slices.EqualFunc(a.Calls, b.Calls, func(x, y llm.ToolCall) bool { return x.Function == y.Function })
}
