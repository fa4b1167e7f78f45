package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
)

var ledgerOf = db.Scoped("test.ledger", `SELECT request_id, COALESCE(run_id, '') AS run_id, input_tokens, output_tokens, source, outcome, model, cost_micros, price_version FROM usage_ledger
	WHERE tenant_id = :tenant_id ORDER BY created_at, id`)

type ledgerLine struct {
	RequestID string `db:"request_id"`
	RunID     string `db:"run_id"`
	Input     int64  `db:"input_tokens"`
	Output    int64  `db:"output_tokens"`
	Source    string `db:"source"`
	Outcome   string `db:"outcome"`
	Model     string `db:"model"`
	Micros    int64  `db:"cost_micros"`
	Prices    string `db:"price_version"`
}

func (r *rig) ledger(c customer) []ledgerLine {
	r.t.Helper()
	var rows []ledgerLine
	r.read(func(ctx context.Context, q db.Querier) error {
		return ledgerOf.Select(ctx, q, db.TenantOf(c.ID), &rows, nil)
	})
	return rows
}

// settled waits until the tenant's ledger has n lines.
func (r *rig) settled(c customer, n int) []ledgerLine {
	r.t.Helper()
	var rows []ledgerLine
	eventually(r.t, patience, fmt.Sprintf("%d lines of the ledger", n), func() bool {
		rows = r.ledger(c)
		return len(rows) >= n
	})
	if len(rows) != n {
		r.t.Fatalf("%d lines of the ledger, want %d: %+v", len(rows), n, rows)
	}
	return rows
}

// TestHangUp: a stateless caller that goes away ends the provider's work within a second, wherever it was, and what came is billed.
func TestHangUp(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		acme := r.tenant("acme", map[string]any{"monthly_tokens": 100_000})
		lines := 0
		for _, c := range []struct {
			name   string
			stream bool
			said   string
		}{{"in mid-stream", true, "twelve bytes"}, {"before the first token", true, ""}, {"in one piece", false, ""}} {
			t.Run(c.name, func(t *testing.T) {
				arrived, left := make(chan struct{}), make(chan time.Time, 1)
				model := r.up.on("hang", func(u *upcall) {
					if c.said == "" {
						close(arrived)
					} else {
						u.text(c.said)
					}
					<-u.gone
					left <- time.Now()
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				q := post(acme.Key, ask(model, "a question of some length", map[string]any{"stream": c.stream}))
				done := make(chan struct{})
				go func() {
					defer close(done)
					res, err := r.http.Do(q.make(ctx, t, r.url))
					if err == nil {
						_, _ = io.ReadFull(res.Body, make([]byte, 300)) // the frame with the role, and some of the one with the text
						close(arrived)
						_, _ = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
				}()
				await(t, "the provider is asked", arrived)
				gone := time.Now()
				cancel()
				if took := await(t, "the provider is left", left).Sub(gone); took > time.Second {
					t.Errorf("the provider was left after %s", took)
				}
				<-done
				lines++
				rows := r.settled(acme, lines)
				last := rows[len(rows)-1]
				if last.Outcome != "disconnected" || last.Source != "counted" || last.Input <= 0 || last.Output != int64(len(c.said)+3)/4 {
					t.Errorf("ledger: %+v", last)
				}
			})
		}
	})
}

// TestManyStreams: fifty streams of one key at a time, each with its own words, and one reader that does not read holds up nobody.
func TestManyStreams(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	const n = 50
	var ready sync.WaitGroup
	ready.Add(n)
	model := r.up.on("crowd", func(c *upcall) {
		word := strings.TrimPrefix(c.said()[0], "user:")
		c.text(word)
		ready.Done()
		ready.Wait() // all are under way at once
		for range 20 {
			c.text(" " + word)
		}
		c.finish("stop", 1, 21)
	})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			word := fmt.Sprintf("w%03d", i)
			got := text(t, r.stream(post(acme.Key, ask(model, word, map[string]any{"stream": true}))).rest())
			if want := word + strings.Repeat(" "+word, 20); got != want {
				t.Errorf("stream %d said %q", i, got)
			}
		})
	}
	wg.Wait()
	if rows := r.ledger(acme); len(rows) != n {
		t.Errorf("%d lines of the ledger", len(rows))
	}
}

// TestSlowReader: a reader that never reads is cut at the write limit; the provider is left, what came is billed, and others are served meanwhile.
func TestSlowReader(t *testing.T) {
	r := lite(t, func(c *config.Settings) { c.StreamWriteTimeout = 200 * time.Millisecond })
	acme := r.tenant("acme", nil)
	left := make(chan struct{})
	model := r.up.on("flood", func(c *upcall) {
		defer close(left)
		piece := strings.Repeat("lorem ipsum ", 4096)
		for c.r.Context().Err() == nil {
			c.text(piece)
		}
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	body := fmt.Sprintf(`{"model":%q,"stream":true,"messages":[{"role":"user","content":"x"}]}`, model)
	if _, err := fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", acme.Key, len(body), body); err != nil {
		t.Fatal(err)
	}
	quick := r.up.on("quick", answer("ok"))
	eventually(t, patience, "the flood begins", func() bool { return len(r.up.calls("flood")) == 1 })
	r.want(200, post(acme.Key, ask(quick, "hi", nil)), nil)
	await(t, "the provider is left", left)
	rows := r.settled(acme, 2)
	if i := map[bool]int{true: 0, false: 1}[rows[0].Outcome == "disconnected"]; rows[i].Outcome != "disconnected" || rows[i].Output < 1000 {
		t.Errorf("ledger: %+v", rows)
	}
}
