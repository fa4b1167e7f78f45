package archive_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
)

// slow is a reader to whom something happens after a piece of the answer.
type slow struct {
	header     http.Header
	body       bytes.Buffer
	writes, at int
	then       func()
}

func (w *slow) Header() http.Header { return w.header }
func (w *slow) WriteHeader(int)     {}
func (w *slow) Write(b []byte) (int, error) {
	if w.writes++; w.writes == w.at {
		w.then()
	}
	return w.body.Write(b)
}

func (r *rig) request(method, path string) *http.Request {
	req := httptest.NewRequestWithContext(r.Context(), method, path, nil)
	req.Header.Set("Authorization", "Bearer "+r.key())
	return req
}

// look runs fn on a connection of its own that sees every row.
func (r *rig) look(fn func(conn *sql.Conn)) {
	r.Helper()
	driver, source := r.open()
	if !slices.Contains(sql.Drivers(), driver) {
		driver = "sqlite" // of the build without a C compiler
	}
	handle, err := sql.Open(driver, source)
	if err != nil {
		r.Fatal(err)
	}
	defer handle.Close()
	conn, err := handle.Conn(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Close()
	if driver == "pgx" {
		if _, err := conn.ExecContext(r.Context(), "SET app.tenant = '*'"); err != nil {
			r.Fatal(err)
		}
	}
	fn(conn)
}

func (r *rig) tables() (names []string) {
	r.Helper()
	st, err := r.d.Status(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	for _, t := range st.Tables {
		names = append(names, t.Name)
	}
	if r.d.Dialect() == db.SQLite {
		names = append(names, "search_words_data", "search_words_docsize", "search_words_idx")
	}
	return names
}

// rows reads a whole table, a line a row.
func (r *rig) rows(table string) (out []string) {
	r.Helper()
	r.look(func(conn *sql.Conn) {
		rows, err := conn.QueryContext(r.Context(), "SELECT * FROM "+table)
		if err != nil {
			r.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			r.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			to := make([]any, len(columns))
			for i := range values {
				to[i] = &values[i]
			}
			if err := rows.Scan(to...); err != nil {
				r.Fatal(err)
			}
			line := ""
			for _, v := range values {
				if b, ok := v.([]byte); ok {
					v = string(b)
				}
				line += fmt.Sprint(v, " ")
			}
			out = append(out, line)
		}
		if err := rows.Err(); err != nil {
			r.Fatal(err)
		}
	})
	return out
}

// naming finds the rows of all tables with one of the texts in them.
func (r *rig) naming(texts ...string) (out []string) {
	r.Helper()
	for _, table := range r.tables() {
		for _, row := range r.rows(table) {
			if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(row, text) }) {
				out = append(out, table+": "+row)
			}
		}
	}
	return out
}

// everywhere leaves something of a session in every table that has something of sessions.
func (r *rig) everywhere(user string) (id string) {
	r.Helper()
	s, ctx := r.tangled(user), r.Context()
	r.write(func(q db.Querier) error {
		for _, add := range []func() (int64, error){
			func() (int64, error) {
				return addRun.Exec(ctx, q, db.Args{"tenant": r.a, "id": "run_" + user, "session": s.ID, "user": user, "status": "completed"})
			},
			func() (int64, error) {
				return addSend.Exec(ctx, q, db.Args{"tenant": r.a, "key": "k1" + user, "from": s.ID, "to": "ses_elsewhere"})
			},
			func() (int64, error) {
				return addSend.Exec(ctx, q, db.Args{"tenant": r.a, "key": "k2" + user, "from": "ses_elsewhere", "to": s.ID})
			},
			func() (int64, error) {
				return addChoice.Exec(ctx, q, db.Args{"tenant": r.a, "id": ids.New("dec_"), "session": s.ID})
			},
			func() (int64, error) {
				return addTool.Exec(ctx, q, db.Args{"tenant": r.a, "id": ids.New(ids.Execution), "session": s.ID})
			},
		} {
			if _, err := add(); err != nil {
				return err
			}
		}
		return nil
	})
	return s.ID
}

// TestErase: after a user, or all of a tenant's conversations, are erased, no row of any table names a session of theirs, and every row of others is as it was.
func TestErase(t *testing.T) {
	each(t, func(r *rig) {
		gone, stays := r.everywhere("gone@example.com"), r.everywhere("stays")
		if n := len(r.naming(gone)); n < 12 {
			r.Fatalf("only %d rows name the session: the test sees too little", n)
		}
		others := r.naming(stays, "stays")
		var n struct{ Sessions, Messages, Runs int64 }
		if err := json.Unmarshal(r.do(200, r.key(), "DELETE", "/v1/users/gone@example.com", nil), &n); err != nil {
			r.Fatal(err)
		}
		if n.Sessions != 1 || n.Messages != 6 || n.Runs != 1 {
			r.Errorf("erased %+v", n)
		}
		if left := r.naming(gone, "gone@example.com"); len(left) > 0 {
			r.Errorf("still there:\n%s", strings.Join(left, "\n"))
		}
		if now := r.naming(stays, "stays"); !slices.Equal(others, now) {
			r.Errorf("others' rows changed from\n%s\nto\n%s", strings.Join(others, "\n"), strings.Join(now, "\n"))
		}
		if !slices.Equal(r.deleted, []string{gone}) || !slices.Equal(r.erased, []string{"gone@example.com"}) || len(r.audited) != 1 ||
			r.audited[0] != "user.erase "+ids.Digest("gone@example.com") {
			r.Errorf("told of %v and %v, recorded %v", r.deleted, r.erased, r.audited)
		}
		r.do(400, r.key(), "DELETE", "/v1/sessions", nil)
		r.do(400, r.key(), "DELETE", "/v1/sessions?confirm=blue", nil)
		r.do(403, "visitor:"+r.a+":stays", "DELETE", "/v1/sessions?confirm=acme", nil)
		r.do(400, "operator", "POST", "/admin/tenants/acme/erase", map[string]string{"confirm": "blue"})
		if now := r.naming(stays); len(now) < 12 {
			r.Fatal("an erasure that was refused has erased")
		}
		r.do(200, "operator", "POST", "/admin/tenants/acme/erase", map[string]string{"confirm": "acme"})
		if left := r.naming(stays, "canary"); len(left) > 0 {
			r.Errorf("still there:\n%s", strings.Join(left, "\n"))
		}
		if r.d.Dialect() == db.SQLite {
			r.noWords()
		}
		if len(r.rows("route_decisions")) != 2 || len(r.rows("tenants")) != 2 {
			r.Error("what is nobody's went too")
		}
	})
}

// noWords demands that SQLite's index has no word left.
func (r *rig) noWords() {
	r.Helper()
	r.look(func(conn *sql.Conn) {
		ctx := context.WithoutCancel(r.Context())
		if _, err := conn.ExecContext(ctx, "CREATE VIRTUAL TABLE temp.v USING fts5vocab(main, search_words, row)"); err != nil {
			r.Fatal(err)
		}
		var n int
		if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM temp.v").Scan(&n); err != nil || n != 0 {
			r.Errorf("%d words are left: %v", n, err)
		}
	})
}

// TestEraseMany: a user with more sessions than fit into one step.
func TestEraseMany(t *testing.T) {
	each(t, func(r *rig) {
		for range 120 {
			r.do(201, "visitor:"+r.a+":vis_1", "POST", "/v1/sessions", nil)
		}
		if got := string(r.do(200, r.key(), "DELETE", "/v1/users/vis_1", nil)); !strings.Contains(got, `"sessions":120`) {
			r.Error(got)
		}
		if left := r.rows("sessions"); len(left) != 0 {
			r.Errorf("%d are left", len(left))
		}
	})
}
