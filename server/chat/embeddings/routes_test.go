package embeddings

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/replays"
	"github.com/clawless/clawless/server/tenants"
)

// lab is a provider that makes what a test scripts.
type lab struct {
	mu    sync.Mutex
	calls [][]string
	embed func(ctx context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error)
}

func (*lab) Name() string { return "lab" }

func (*lab) Stream(context.Context, *llm.Request) iter.Seq2[llm.Chunk, error] { return nil }

func (l *lab) Embed(ctx context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
	l.mu.Lock()
	l.calls = append(l.calls, req.Input)
	l.mu.Unlock()
	return l.embed(ctx, req)
}

// lengths makes of each text a vector of its length and awkward values, and counts a token for each byte.
func lengths(_ context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
	out := &llm.Embeddings{Model: req.Model, Usage: &llm.Usage{}}
	for _, text := range req.Input {
		out.Vectors = append(out.Vectors, []float32{float32(len(text)), -1e-9, math.MaxFloat32, math.SmallestNonzeroFloat32, 0.1})
		out.Usage.Input += int64(len(text))
	}
	return out, nil
}

// desk serves one tenant.
type desk struct {
	url     string
	db      *db.DB
	lab     *lab
	debts   *arrears.Arrears
	settled chan quotas.Entry
	mu      sync.Mutex
	stop    context.CancelCauseFunc // of the call that came last
}

// Authenticate implements api.Authenticator.
func (*desk) Authenticate(context.Context, string, string) (auth.Principal, error) {
	return auth.Principal{Kind: auth.Key, TenantID: "ten_1", KeyID: "key_1", Scopes: []string{auth.ScopeChat}}, nil
}

// at is the price of lab/v: half a dollar for a million tokens.
var at = catalog.Info{Priced: true, Price: catalog.Price{Input: 500_000, CacheRead: 500_000, CacheWrite: 500_000}, Embedding: true}

func lookup(_, model string) (catalog.Info, bool) {
	switch model {
	case "v":
		return at, true
	case "talker":
		return catalog.Info{Class: catalog.Small}, true
	}
	return catalog.Info{}, false
}

func open(t *testing.T, d *db.DB, tokens, micros int64, embed func(context.Context, *llm.EmbedRequest) (*llm.Embeddings, error)) *desk {
	t.Helper()
	tenant := tenants.Tenant{ID: "ten_1", Name: "acme", Tier: tenants.Starter, Status: tenants.Active, CreatedAt: db.At(time.Now())}
	tenant.Settings.MonthlyTokens, tenant.Settings.MonthlyCostMicros = &tokens, &micros
	err := d.Write(t.Context(), func(q db.Querier) error { return tenants.Create(t.Context(), q, tenant) })
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	k := &desk{db: d, lab: &lab{embed: embed}, debts: arrears.New(d, log), settled: make(chan quotas.Entry, 64)}
	a := api.New(api.Options{Auth: k, Log: log, Idempotency: &replays.Book{DB: d, TTL: time.Hour}})
	Routes{DB: d, Models: router.New([]llm.Provider{k.lab}, router.Options{Log: log, Lookup: lookup}), Debts: k.debts, Log: log, WriteTimeout: time.Minute, SettleLimit: 2 * time.Second,
		Tenant: func(context.Context, string) (tenants.Tenant, error) { return tenant, nil },
		May: func(_ tenants.Tenant, id string) error {
			if id == "lab/forbidden" {
				return fault.New(fault.ModelNotAllowed, "this tenant may not use the model").WithParam("model")
			}
			return nil
		},
		PriceVersion: func() string { return "v7" },
		Enter: func(ctx context.Context, _ tenants.Tenant, who auth.Principal) (context.Context, func(), error) {
			if who.KeyID != "key_1" {
				t.Errorf("entered as %+v", who)
			}
			ctx, stop := context.WithCancelCause(ctx)
			k.mu.Lock()
			k.stop = stop
			k.mu.Unlock()
			return ctx, func() { stop(nil) }, nil
		},
		Settled: func(e quotas.Entry) { k.settled <- e },
	}.Register(a)
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	k.url = srv.URL + "/v1/embeddings"
	return k
}

type reply struct {
	status int
	header http.Header
	raw    string
	EmbeddingList
}

func (k *desk) post(t *testing.T, body string, headers ...string) (r reply) {
	t.Helper()
	req, _ := http.NewRequest("POST", k.url, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer x")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.status, r.header, r.raw = res.StatusCode, res.Header, string(b)
	if err := json.Unmarshal(b, &r.EmbeddingList); err != nil {
		t.Fatalf("%v in %.200s", err, b)
	}
	return r
}

// books checks that the month's totals are what the ledger's lines say, and that nothing is held any more.
func (k *desk) books(t *testing.T, requests, tokens, micros int64) {
	t.Helper()
	var u quotas.Usage
	var lines []quotas.ModelUsage
	period := quotas.Period(time.Now())
	err := k.db.Read(t.Context(), func(q db.Querier) (err error) {
		if u, err = quotas.Month(t.Context(), q, db.TenantOf("ten_1"), period); err == nil {
			lines, err = quotas.Models(t.Context(), q, db.TenantOf("ten_1"), period, 10)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var sum quotas.ModelUsage
	for _, l := range lines {
		sum.Requests, sum.Input, sum.Output, sum.Micros = sum.Requests+l.Requests, sum.Input+l.Input, sum.Output+l.Output, sum.Micros+l.Micros
	}
	if u.Used != tokens || u.UsedMicros != micros || u.Requests != requests || u.Reserved != 0 || u.ReservedMicros != 0 ||
		sum.Requests != requests || sum.Input != tokens || sum.Output != 0 || sum.Micros != micros {
		t.Errorf("month %+v, ledger %+v, want %d requests of %d tokens for %d micro-dollars", u, sum, requests, tokens, micros)
	}
}

func floats(t *testing.T, raw json.RawMessage) (out []float32) {
	t.Helper()
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var b []byte // Go reads base64 of a text into bytes
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	for i := 0; i+4 <= len(b); i += 4 {
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(b[i:])))
	}
	return out
}

// TestAnswer: vectors in the order of the texts, the same numbers in both formats, and what it cost in body, headers and ledger.
func TestAnswer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := open(t, d, 0, 0, lengths)
		const body = `{"model":"lab/v","input":["three","a","four4"],"user":"ann"`
		plain, coded := k.post(t, body+`}`), k.post(t, body+`,"encoding_format":"base64"}`)
		for _, r := range []reply{plain, coded} {
			if r.status != 200 || r.Object != "list" || r.Model != "lab/v" || r.Usage != (EmbeddingUsage{11, 11}) || len(r.Data) != 3 || r.header.Get("Content-Type") != "application/json" {
				t.Fatalf("%d %s", r.status, r.raw)
			}
			for i, want := range []float32{5, 1, 5} {
				d := r.Data[i]
				if got := floats(t, d.Embedding); d.Object != "embedding" || d.Index != i || !slices.Equal(got, []float32{want, -1e-9, math.MaxFloat32, math.SmallestNonzeroFloat32, 0.1}) {
					t.Errorf("%d: %+v is %v", i, d, got)
				}
			}
			p := r.Clawless
			if p.Model != "lab/v" || p.Asked != "lab/v" || p.CostMicros == nil || *p.CostMicros != 6 || p.PriceVersion != "v7" || p.PriceUnknown || len(p.Attempts) != 1 || p.Attempts[0].Outcome != "ok" {
				t.Errorf("receipt %+v", p)
			}
			h := r.header
			if h.Get("Clawless-Model") != "lab/v" || h.Get("Clawless-Cost-Micros") != "6" || h.Get("Clawless-Attempts") != "1" || h.Get("Clawless-Price-Version") != "v7" {
				t.Errorf("headers %v", h)
			}
			e := <-k.settled
			if e.Model != "lab/v" || e.Provider != "lab" || e.Micros != 6 || e.PriceVersion != "v7" || e.Outcome != "completed" || e.Source != quotas.FromProvider || e.EndUser != "ann" || e.KeyID != "key_1" ||
				e.RequestID != h.Get("X-Request-Id") || e.Usage != (llm.Usage{Input: 11}) {
				t.Errorf("ledger %+v", e)
			}
		}
		if raw, _ := base64.StdEncoding.DecodeString(strings.Trim(string(coded.Data[1].Embedding), `"`)); !bytes.HasPrefix(raw, []byte{0, 0, 0x80, 0x3f}) {
			t.Errorf("1 is not written as a little-endian float: %x", raw)
		}
		k.books(t, 2, 22, 12)
		if r := k.post(t, `{"model":"lab/other","input":"x"}`); r.status != 200 || !r.Clawless.PriceUnknown || r.Clawless.CostMicros != nil || r.header.Get("Clawless-Cost-Micros") != "" {
			t.Errorf("an unknown price: %d %s", r.status, r.raw)
		}
		k.books(t, 3, 23, 12)
	})
}

// TestRefused: what costs nothing because it is refused or fails, and that it then holds nothing either.
func TestRefused(t *testing.T) {
	fails := func(class llm.Class, message string) func(context.Context, *llm.EmbedRequest) (*llm.Embeddings, error) {
		return func(context.Context, *llm.EmbedRequest) (*llm.Embeddings, error) {
			return nil, &llm.Error{Class: class, Provider: "lab", Message: message}
		}
	}
	vectors := func(v ...[]float32) func(context.Context, *llm.EmbedRequest) (*llm.Embeddings, error) {
		return func(context.Context, *llm.EmbedRequest) (*llm.Embeddings, error) {
			return &llm.Embeddings{Vectors: v}, nil
		}
	}
	for _, tt := range []struct {
		name           string
		tokens, micros int64
		body           string
		embed          func(context.Context, *llm.EmbedRequest) (*llm.Embeddings, error)
		status         int
		code           string
		called         bool
	}{
		{"tokens", 20, 0, `{"model":"lab/v","input":"` + strings.Repeat("word ", 20) + `"}`, lengths, 429, "quota_exceeded", false},
		{"money", 0, 10, `{"model":"lab/v","input":"` + strings.Repeat("word ", 20) + `"}`, lengths, 429, "quota_exceeded", false},
		{"money without a price", 0, 10, `{"model":"lab/other","input":"x"}`, lengths, 403, "price_unknown", false},
		{"not allowed", 0, 0, `{"model":"lab/forbidden","input":"x"}`, lengths, 403, "model_not_allowed", false},
		{"makes text", 0, 0, `{"model":"lab/talker","input":"x"}`, lengths, 400, "invalid_request", false},
		{"tokens for texts", 0, 0, `{"model":"lab/v","input":[1]}`, lengths, 400, "unsupported_parameter", false},
		{"no text", 0, 0, `{"model":"lab/v","input":""}`, lengths, 400, "validation_failed", false},
		{"the account", 0, 0, `{"model":"lab/v","input":"x"}`, fails(llm.ClassAuth, "secret"), 502, "provider_error", true},
		{"too long", 0, 0, `{"model":"lab/v","input":"x"}`, fails(llm.ClassContext, "at most 512"), 400, "context_length_exceeded", true},
		{"too many vectors", 0, 0, `{"model":"lab/v","input":"x"}`, vectors([]float32{1}, []float32{2}), 502, "provider_error", true},
		{"empty vectors", 0, 0, `{"model":"lab/v","input":"x"}`, vectors([]float32{}), 502, "provider_error", true},
		{"huge vectors", 0, 0, `{"model":"lab/v","input":"x"}`, vectors(make([]float32, maxDimensions+1)), 502, "provider_error", true},
		{"uneven vectors", 0, 0, `{"model":"lab/v","input":["x","y"]}`, vectors([]float32{1}, []float32{1, 2}), 502, "provider_error", true},
		{"no numbers", 0, 0, `{"model":"lab/v","input":"x"}`, vectors([]float32{float32(math.NaN())}), 502, "provider_error", true},
		{"panic", 0, 0, `{"model":"lab/v","input":"x"}`, func(context.Context, *llm.EmbedRequest) (*llm.Embeddings, error) { panic("driver") }, 500, "internal_error", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := open(t, dbtest.New(t), tt.tokens, tt.micros, tt.embed)
			r := k.post(t, tt.body)
			if r.status != tt.status || !strings.Contains(r.raw, `"code":"`+tt.code+`"`) || strings.Contains(r.raw, "secret") || len(k.lab.calls) > 0 != tt.called {
				t.Errorf("%d %s after %d calls", r.status, r.raw, len(k.lab.calls))
			}
			k.books(t, 0, 0, 0)
		})
	}
}

// TestUnread: a count that cannot be true is not billed.
func TestUnread(t *testing.T) {
	for _, u := range []*llm.Usage{nil, {}, {Input: -5}, {Input: 1 << 50}} {
		k := open(t, dbtest.New(t), 0, 0, func(context.Context, *llm.EmbedRequest) (*llm.Embeddings, error) {
			return &llm.Embeddings{Vectors: [][]float32{{1}}, Usage: u}, nil
		})
		r := k.post(t, `{"model":"lab/v","input":"eight letters are two tokens"}`)
		if n := r.Usage.PromptTokens; r.status != 200 || n < 5 || n > 15 || (<-k.settled).Source != quotas.Counted {
			t.Errorf("%+v is told as %d", u, n)
		}
	}
}

// TestMany: 2048 texts go to the provider in parts and come back as one answer in their order; a part that fails is tried again by itself.
func TestMany(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		failed := false
		k := open(t, d, 0, 0, func(ctx context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
			if len(req.Input) > atOnce {
				t.Errorf("%d texts at once", len(req.Input))
			}
			if req.Input[0] == strings.Repeat("x", atOnce+1) && !failed {
				failed = true
				return nil, &llm.Error{Class: llm.ClassOverloaded, Provider: "lab"}
			}
			return lengths(ctx, req)
		})
		var texts []string
		for i := range maxInputs {
			texts = append(texts, strings.Repeat("x", i+1))
		}
		body, _ := json.Marshal(map[string]any{"model": "lab/v", "input": texts, "encoding_format": "base64"})
		r := k.post(t, string(body))
		const tokens = maxInputs * (maxInputs + 1) / 2
		if r.status != 200 || len(r.Data) != maxInputs || r.Usage.TotalTokens != tokens || len(r.Clawless.Attempts) != 9 || r.Clawless.Attempts[1].Outcome != "overloaded" || r.header.Get("Clawless-Attempts") != "9" {
			t.Fatalf("%d, %d vectors, %+v, %+v", r.status, len(r.Data), r.Usage, r.Clawless)
		}
		for i, v := range r.Data {
			if got := floats(t, v.Embedding); v.Index != i || got[0] != float32(i+1) {
				t.Fatalf("text %d has vector %d with %v", i, v.Index, got)
			}
		}
		k.books(t, 1, tokens, (tokens+1)/2)
	})
}

// TestTooMuch: vectors that are longer than one answer holds are refused after the first part, with how many texts would do, and that part is paid.
func TestTooMuch(t *testing.T) {
	k := open(t, dbtest.New(t), 0, 0, func(_ context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
		v := make([]float32, 8192)
		return &llm.Embeddings{Vectors: slices.Repeat([][]float32{v}, len(req.Input))}, nil
	})
	r := k.post(t, `{"model":"lab/v","input":[`+strings.Repeat(`"x",`, 1024)+`"x"]}`)
	if r.status != 400 || !strings.Contains(r.raw, "send at most 1024 texts at once") || len(k.lab.calls) != 1 {
		t.Errorf("%d %s after %d calls", r.status, r.raw, len(k.lab.calls))
	}
	tokens := measure(slices.Repeat([]string{"x"}, atOnce)).Tokens()
	if e := <-k.settled; e.Outcome != "failed" || e.Usage.Input != tokens {
		t.Errorf("%+v", e)
	}
	k.books(t, 1, tokens, (tokens+1)/2)
}

// TestLaterPart: a text that is refused for what it is does not make those before it free, and one at which the provider fails does.
func TestLaterPart(t *testing.T) {
	for class, paid := range map[llm.Class]int64{llm.ClassContext: 1, llm.ClassRefused: 1, llm.ClassInvalid: 1, llm.ClassServer: 0, llm.ClassAuth: 0} {
		t.Run(string(class), func(t *testing.T) {
			k := open(t, dbtest.New(t), 0, 0, func(ctx context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
				if req.Input[0] == "impossible" {
					return nil, &llm.Error{Class: class, Provider: "lab", Message: "no"}
				}
				return lengths(ctx, req)
			})
			body, _ := json.Marshal(map[string]any{"model": "lab/v", "input": append(slices.Repeat([]string{"four"}, atOnce), "impossible")})
			r := k.post(t, string(body))
			cost := ""
			if paid > 0 {
				cost = strconv.Itoa(2 * atOnce)
			}
			if r.status < 400 || r.header.Get("Clawless-Cost-Micros") != cost {
				t.Errorf("%d %s, cost %q", r.status, r.raw, r.header.Get("Clawless-Cost-Micros"))
			}
			k.books(t, paid, paid*4*atOnce, paid*2*atOnce)
		})
	}
}

// TestLeaves: who leaves, or is sent away, pays for the texts that the provider had read by then, and a call that was never made costs nothing.
func TestLeaves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		asked, second := make(chan struct{}), strings.Repeat("second part ", 50)
		k := open(t, d, 0, 0, func(ctx context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
			if req.Input[0] != second {
				return lengths(ctx, req)
			}
			asked <- struct{}{}
			<-ctx.Done()
			return nil, &llm.Error{Class: llm.ClassCanceled, Provider: "lab", Err: ctx.Err()}
		})
		body, _ := json.Marshal(map[string]any{"model": "lab/v", "input": append(slices.Repeat([]string{"four"}, atOnce), second)})
		ctx, leave := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "POST", k.url, bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("Content-Type", "application/json")
		gone := make(chan error)
		go func() {
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				res.Body.Close()
			}
			gone <- err
		}()
		<-asked
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller got %v", err)
		}
		e := <-k.settled
		tokens := 4*atOnce + measure([]string{second}).Tokens()
		if e.Outcome != "disconnected" || e.Source != quotas.Counted || e.Usage.Input != tokens || e.Micros != (tokens+1)/2 {
			t.Errorf("%+v, want %d tokens", e, tokens)
		}
		go func() {
			<-asked
			k.mu.Lock()
			defer k.mu.Unlock()
			k.stop(fault.New(fault.InvalidKey, "the key was revoked while this was being answered"))
		}()
		if r := k.post(t, string(body)); r.status != 401 || !strings.Contains(r.raw, "revoked") {
			t.Errorf("%d %s", r.status, r.raw)
		}
		if e := <-k.settled; e.Outcome != "cancelled" || e.Usage.Input != tokens {
			t.Errorf("%+v", e)
		}
		k.books(t, 2, 2*tokens, 2*((tokens+1)/2))
	})
}

// TestDebt: a store that fails after the answer owes a line and the caller nothing; until the line is written no further call is admitted.
func TestDebt(t *testing.T) {
	d := dbtest.New(t)
	broken := errors.New("no")
	k := open(t, d, 0, 0, lengths)
	k.debts.Add(arrears.Debt{What: "usage", RequestID: "req_0", Write: func(context.Context, db.Querier) error { return nil }}, fault.Wrap(broken, fault.StoreUnavailable, "away"))
	if r := k.post(t, `{"model":"lab/v","input":"x"}`); r.status != 503 || !strings.Contains(r.raw, "store_unavailable") || len(k.lab.calls) != 0 {
		t.Errorf("%d %s", r.status, r.raw)
	}
	if err := k.debts.Pay(t.Context()); err != nil {
		t.Fatal(err)
	}
	release, held := make(chan struct{}), make(chan struct{})
	k.lab.embed = func(ctx context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
		go func() { // somebody else writes for longer than settling may take
			_ = d.Write(context.WithoutCancel(ctx), func(db.Querier) error {
				close(held)
				<-release
				return nil
			})
		}()
		<-held
		return lengths(ctx, req)
	}
	r := k.post(t, `{"model":"lab/v","input":"four"}`)
	close(release)
	if r.status != 200 || r.Usage.TotalTokens != 4 {
		t.Errorf("%d %s", r.status, r.raw)
	}
	if err := k.debts.Refuse(); err == nil {
		t.Error("a debt closes no door")
	}
	if err := k.debts.Pay(t.Context()); err != nil {
		t.Error(err)
	}
	k.books(t, 1, 4, 2)
}

// TestRepeated: the same Idempotency-Key gives the first answer again and costs nothing more.
func TestRepeated(t *testing.T) {
	k := open(t, dbtest.New(t), 0, 0, lengths)
	const body = `{"model":"lab/v","input":"four"}`
	first, again := k.post(t, body, "Idempotency-Key", "k1"), k.post(t, body, "Idempotency-Key", "k1")
	if first.status != 200 || again.status != 200 || first.raw != again.raw || again.header.Get("Idempotency-Replayed") != "true" || len(k.lab.calls) != 1 {
		t.Errorf("%d %s, then %d %s after %d calls", first.status, first.raw, again.status, again.raw, len(k.lab.calls))
	}
	k.books(t, 1, 4, 2)
}

// TestTogether: many calls at once under a budget never take more than it has.
func TestTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const budget, each = 200, 10
		k := open(t, d, budget, 0, func(_ context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) { // counts a token for four bytes
			return &llm.Embeddings{Vectors: [][]float32{{1}}, Usage: &llm.Usage{Input: int64(len(req.Input[0]) / 4)}}, nil
		})
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[int]int64{}
		for i := range 24 {
			wg.Go(func() {
				r := k.post(t, fmt.Sprintf(`{"model":"lab/v","input":"this text is long: forty bytes are in %02d"}`, i))
				mu.Lock()
				defer mu.Unlock()
				seen[r.status]++
			})
		}
		wg.Wait()
		if seen[200] == 0 || seen[200]*each > budget || seen[200]+seen[429] != 24 {
			t.Errorf("%v", seen)
		}
		k.books(t, seen[200], seen[200]*each, seen[200]*each/2)
	})
}
