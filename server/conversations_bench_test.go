package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
)

// One statement fills a table with as many rows as it is told: both engines count by themselves, and no row goes through the program.
const counting = `WITH RECURSIVE c(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM c WHERE i < CAST(:n AS BIGINT)) `

// The first half of the titles' words is rare: fifty sessions have it, however many there are. The second half is in every title.
const title = `CASE WHEN i % (CAST(:n AS BIGINT) / 50) = 0 THEN 'rareword' ELSE 'other' || (i % 500) END || ' question about everyword'`

// line is a message's text of about 200 characters.
const line = `'word' || (i % 997) || ' and word' || (i % 4999) || ' are what this message speaks of, together with some more words that make it as long as people write them: ` +
	`a sentence or two, a thought, and a question at the end of it?'`

var (
	manySessions = db.Scoped("bench.sessions", counting+`INSERT INTO sessions (tenant_id, id, title, titled, status, epoch, last_epoch, created_at, updated_at)
		SELECT :tenant_id, CAST(:prefix AS TEXT) || substr(CAST(100000000 + i AS TEXT), 2), `+title+`, 'words', 'active', 1, 1, CAST(:at AS BIGINT) + i * 1000, CAST(:at AS BIGINT) + i * 1000 FROM c`)
	manyEpochs = db.Scoped("bench.epochs", `INSERT INTO session_epochs (tenant_id, session_id, epoch, previous, reason, created_at)
		SELECT tenant_id, id, 1, 0, 'start', created_at FROM sessions WHERE tenant_id = :tenant_id`)
	manyTitles = db.ScopedPair("bench.titles", `INSERT INTO search_texts (tenant_id, session_id, sequence, body, words)
		SELECT tenant_id, id, 0, title, title FROM sessions WHERE tenant_id = :tenant_id`, `WITH added AS (INSERT INTO search_texts (tenant_id, session_id, sequence, body, words)
		SELECT tenant_id, id, 0, title, '' FROM sessions WHERE tenant_id = :tenant_id RETURNING id, tenant_id, body)
		INSERT INTO search_words (id, words) SELECT id, array_to_tsvector(string_to_array('_' || tenant_id || ' ' || body, ' ')) FROM added`)

	manyMessages = db.Scoped("bench.messages", counting+`INSERT INTO messages (tenant_id, session_id, sequence, id, epoch, parent, active, role, content, model, created_at)
		SELECT :tenant_id, CAST(:session_id AS TEXT), i, 'msg_' || CAST(:session_id AS TEXT) || i, 1, i - 1, 1, CASE WHEN i % 2 = 1 THEN 'user' ELSE 'assistant' END,
		'"' || `+line+` || '"', CASE WHEN i % 2 = 1 THEN NULL ELSE 'lab/m' END, CAST(:at AS BIGINT) + i FROM c`)
	manyTexts = db.ScopedPair("bench.texts", `INSERT INTO search_texts (tenant_id, session_id, sequence, body, words)
		SELECT tenant_id, session_id, sequence, trim(content, '"'), replace(trim(content, '"?'), ',', '') FROM messages WHERE tenant_id = :tenant_id AND session_id = :session_id`,
		`WITH added AS (INSERT INTO search_texts (tenant_id, session_id, sequence, body, words)
		SELECT tenant_id, session_id, sequence, btrim(content, '"'), '' FROM messages WHERE tenant_id = :tenant_id AND session_id = :session_id RETURNING id, tenant_id, body)
		INSERT INTO search_words (id, words) SELECT id, array_to_tsvector(string_to_array('_' || tenant_id || ' ' || replace(btrim(body, '?'), ',', ''), ' ')) FROM added`)
	fillSession = db.Scoped("bench.fill", `UPDATE sessions SET last_sequence = :n, head = :n, version = version + 1, title = 'a long talk', titled = 'words'
		WHERE tenant_id = :tenant_id AND id = :session_id`)
	analyze = db.System("bench.analyze", `ANALYZE`) // as Postgres does by itself in time
)

// engines runs a benchmark over SQLite and, where there is one, over Postgres.
func engines(b *testing.B, run func(b *testing.B, open func(b *testing.B) *db.DB)) {
	b.Run("sqlite", func(b *testing.B) { run(b, func(b *testing.B) *db.DB { return dbtest.New(b) }) })
	b.Run("postgres", func(b *testing.B) {
		if os.Getenv(dbtest.PostgresEnv) == "" {
			b.Skipf("SKIPPED ON POSTGRES: set %s", dbtest.PostgresEnv)
		}
		run(b, func(b *testing.B) *db.DB {
			return dbtest.Open(b, db.Options{URL: dbtest.PostgresURL(b), Migrate: true})
		})
	})
}

// percentiles reports what the middle and the 99th of a hundred took. What the benchmark did between them is not in it.
func percentiles(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[min(int(share*float64(len(took))), len(took)-1)].Nanoseconds()) / 1e6
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}

// BenchmarkListSessions measures pages of 50 sessions of a tenant that has many: the first page, one from the middle, and the first of what a search finds. A search for a
// rare word has 50 hits at every size; that for a word of every title has as many hits as there are sessions.
func BenchmarkListSessions(b *testing.B) {
	engines(b, func(b *testing.B, open func(b *testing.B) *db.DB) {
		for _, n := range []int{1000, 100_000} {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				r := newRig(b, open(b), nil)
				c := r.tenant("acme", nil)
				r.sessions(c, n)
				middle := r.halfway(c, n)
				for _, page := range []struct {
					name, query string
					most        int // pages that are enough, as one takes long
				}{{"first", "", 0}, {"middle", "&cursor=" + middle, 0}, {"rare", "&q=rareword", 0}, {"every", "&q=everyword", 20}} {
					b.Run(page.name, func(b *testing.B) {
						r := r.as(b)
						get := request{Path: "/v1/sessions?limit=50" + page.query, Key: c.Key}
						r.page(get)
						var took []time.Duration
						for b.Loop() {
							if page.most > 0 && len(took) == page.most {
								continue
							}
							start := time.Now()
							a := r.do(get)
							took = append(took, time.Since(start))
							if a.status != 200 || bytes.Count(a.body, []byte(`"version":`)) != 50 {
								b.Fatalf("status %d: %s", a.status, a.body)
							}
						}
						percentiles(b, took)
					})
				}
			})
		}
	})
}

// as is the rig for a part of the benchmark.
func (r *rig) as(b *testing.B) *rig {
	own := *r
	own.t = b
	return &own
}

// sessions gives a tenant n sessions, used one after another until now.
func (r *rig) sessions(c customer, n int) {
	r.t.Helper()
	t := db.TenantOf(c.ID)
	r.write(func(ctx context.Context, q db.Querier) error {
		at := time.Now().Add(-time.Hour).UnixMicro()
		if _, err := manySessions.Exec(ctx, q, t, db.Args{"n": n, "prefix": "ses_bench", "at": at}); err != nil {
			return err
		}
		if _, err := manyEpochs.Exec(ctx, q, t, nil); err != nil {
			return err
		}
		_, err := manyTitles.Exec(ctx, q, t, nil)
		return err
	})
	r.write(func(ctx context.Context, q db.Querier) error { _, err := analyze.Exec(ctx, q, nil); return err })
}

type sessionPage struct {
	Data []struct{ ID string }
	Next *string `json:"next_cursor"`
}

// page reads a page of a list, which must be a full one.
func (r *rig) page(q request) (p sessionPage) {
	r.t.Helper()
	if r.want(200, q, &p); len(p.Data) != 50 {
		r.t.Fatalf("%d sessions on the page", len(p.Data))
	}
	return p
}

// halfway is the cursor in the middle of the list, found by reading to it, 100 at a time.
func (r *rig) halfway(c customer, n int) string {
	r.t.Helper()
	cursor := ""
	for read := 0; read < n/2; read += 100 {
		var p sessionPage
		r.want(200, request{Path: "/v1/sessions?limit=100&cursor=" + cursor, Key: c.Key}, &p)
		if len(p.Data) != 100 || p.Next == nil {
			r.t.Fatalf("%d sessions after %d", len(p.Data), read)
		}
		cursor = *p.Next
	}
	return cursor
}

// BenchmarkLongSession measures a turn, from the request to the whole answer of a model that says it at once, in sessions that are long already. A turn takes 400
// messages at most, so that its context is small in the shortest session and the same in the other two. Cold is without the cache of conversations.
func BenchmarkLongSession(b *testing.B) {
	engines(b, func(b *testing.B, open func(b *testing.B) *db.DB) {
		for _, n := range []int{10, 1000, 10_000} {
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				d := open(b)
				for _, cache := range []struct {
					name string
					ttl  time.Duration
				}{{"warm", time.Hour}, {"cold", 0}} {
					b.Run(cache.name, func(b *testing.B) { longSession(b, d, n, cache.ttl) })
				}
			})
		}
	})
}

func longSession(b *testing.B, d *db.DB, n int, ttl time.Duration) {
	up := httptest.NewServer(http.HandlerFunc(atOnce))
	b.Cleanup(up.Close)
	r := newRig(b, d, func(s *config.Settings) {
		s.CacheTTL = ttl
		s.Providers["lab"] = config.Provider{Driver: "openai", BaseURL: up.URL + "/v1", APIKey: labKey}
	})
	// No summaries: with them a context would hold less.
	c := r.tenant("acme-"+strings.ToLower(rand.Text()), map[string]any{"summary_model": "off"})
	var took []time.Duration
	var id string
	for i := 0; b.Loop(); i++ {
		if i%max(10, n/3) == 0 { // a session must not grow to another order of length than what is measured
			id = r.filled(c, n)
			if n >= 1000 {
				r.settle(c)
			}
			r.again(c, id)
		}
		start := time.Now()
		r.again(c, id)
		took = append(took, time.Since(start))
	}
	percentiles(b, took)
}

// filled is a session with n messages.
func (r *rig) filled(c customer, n int) string {
	r.t.Helper()
	id := r.session(c.Key, nil)
	t := db.TenantOf(c.ID)
	r.write(func(ctx context.Context, q db.Querier) error {
		args := db.Args{"n": n, "session_id": id, "at": time.Now().Add(-time.Minute).UnixMicro()}
		if _, err := manyMessages.Exec(ctx, q, t, args); err != nil {
			return err
		}
		if _, err := manyTexts.Exec(ctx, q, t, db.Args{"session_id": id}); err != nil {
			return err
		}
		_, err := fillSession.Exec(ctx, q, t, db.Args{"n": n, "session_id": id})
		return err
	})
	if n >= 1000 {
		r.write(func(ctx context.Context, q db.Querier) error { _, err := analyze.Exec(ctx, q, nil); return err })
	}
	return id
}

// settle takes turns of another session until SQLite has folded what filled the database into its file, which would slow down the turns that are measured.
func (r *rig) settle(c customer) {
	r.t.Helper()
	id := r.session(c.Key, nil)
	for range 200 { // two writes each, and 400 fold the log
		r.again(c, id)
	}
}

// again takes one more turn of a session.
func (r *rig) again(c customer, id string) {
	r.t.Helper()
	a := r.do(post(c.Key, ask("lab/m", "and what do you say to that?", map[string]any{"session_id": id, "max_tokens": 64})))
	if a.status != 200 || !bytes.Contains(a.body, []byte("said at once")) {
		r.t.Fatalf("status %d: %s", a.status, a.body)
	}
}

// atOnce is a provider that answers without reading what it is asked.
func atOnce(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/models") {
		_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"m","object":"model","created":1700000000,"owned_by":"lab"}]}`)
		return
	}
	_, _ = io.WriteString(w, `{"id":"up-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"said at once"},"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6}}`)
}
