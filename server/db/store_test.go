package db_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
)

type tenantRow struct {
	ID        string  `db:"id"`
	Name      string  `db:"name"`
	CreatedAt db.Time `db:"created_at"`
}

var (
	addTenant   = db.System("test.tenant.add", `INSERT INTO tenants (id, name, tier, status, created_at, updated_at) VALUES (:id, :name, 'free', 'active', :now, :now)`)
	allTenants  = db.System("test.tenant.list", `SELECT id, name, created_at FROM tenants ORDER BY id`)
	tenantNames = db.System("test.tenant.names", `SELECT name FROM tenants ORDER BY name`)
	oneTenant   = db.Scoped("test.tenant.get", `SELECT id, name, created_at FROM tenants WHERE id = :tenant_id`)
	bumpTenant  = db.Scoped("test.tenant.bump", `UPDATE tenants SET version = version + 1 WHERE id = :tenant_id`)
	readVersion = db.Scoped("test.tenant.version", `SELECT version FROM tenants WHERE id = :tenant_id`)
	addSession  = db.Scoped("test.session.add", `INSERT INTO sessions (tenant_id, id, title, metadata, end_user, status, created_at, updated_at) VALUES (:tenant_id, :id, :title, :metadata, :end_user, 'active', :now, :now)`)
	oneSession  = db.Scoped("test.session.get", `SELECT id, title, metadata, end_user FROM sessions WHERE tenant_id = :tenant_id AND id = :id`)
	addVisit    = db.Scoped("test.idempotency.add", `INSERT INTO idempotency (tenant_id, scope, key, body_hash, state, status, body, created_at, expires_at) VALUES (:tenant_id, 'post', :key, '', 'done', :status, :body, 1, 2)`)
	oneVisit    = db.Scoped("test.idempotency.get", `SELECT status, body FROM idempotency WHERE tenant_id = :tenant_id AND scope = 'post' AND key = :key`)
)

// mustAdd makes tenants whose id is ten_ and their name.
func mustAdd(t testing.TB, d *db.DB, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := add(d, name); err != nil {
			t.Fatal(err)
		}
	}
}

func add(d *db.DB, name string) error {
	ctx := context.Background()
	return d.Write(ctx, func(q db.Querier) error { return addIn(ctx, q, name) })
}

func addIn(ctx context.Context, q db.Querier, name string) error {
	_, err := addTenant.Exec(ctx, q, db.Args{"id": "ten_" + name, "name": name, "now": db.At(time.Unix(1, 0))})
	return err
}

func names(t testing.TB, d *db.DB) []string {
	t.Helper()
	ctx := context.Background()
	var list []string
	if err := d.Read(ctx, func(q db.Querier) error { return tenantNames.Select(ctx, q, &list, nil) }); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestGetSelectExec(t *testing.T) { dbtest.Each(t, testGetSelectExec) }

func testGetSelectExec(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme", "blue")
	err := d.Read(ctx, func(q db.Querier) error {
		var row tenantRow
		if err := oneTenant.Get(ctx, q, db.TenantOf("ten_blue"), &row, nil); err != nil {
			return err
		}
		if want := (tenantRow{"ten_blue", "blue", db.At(time.Unix(1, 0))}); row != want {
			t.Errorf("got %+v, want %+v", row, want)
		}
		var rows []tenantRow
		if err := allTenants.Select(ctx, q, &rows, nil); err != nil {
			return err
		}
		if len(rows) != 2 || rows[0].ID != "ten_acme" || rows[1] != row {
			t.Errorf("rows: %+v", rows)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(ctx, func(q db.Querier) error {
		n, err := bumpTenant.Exec(ctx, q, db.TenantOf("ten_acme"), nil)
		if n != 1 {
			t.Errorf("%d rows were changed", n)
		}
		if err == nil {
			n, err = bumpTenant.Exec(ctx, q, db.TenantOf("ten_none"), nil)
		}
		if n != 0 {
			t.Errorf("%d rows of nobody were changed", n)
		}
		var version int
		return errors.Join(err, readVersion.Get(ctx, q, db.TenantOf("ten_acme"), &version, nil), same(version, 2))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func same[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

func TestNoRow(t *testing.T) { dbtest.Each(t, testNoRow) }

func testNoRow(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme")
	err := d.Write(ctx, func(q db.Querier) error {
		var row tenantRow
		if err := oneTenant.Get(ctx, q, db.TenantOf("ten_none"), &row, nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("no row: %v", err)
		}
		rows := []tenantRow{{ID: "left over"}}
		if err := allTenants.Select(ctx, q, &rows, nil); err != nil || len(rows) != 1 || rows[0].ID != "ten_acme" {
			t.Errorf("after a missing row the next statement must run, and replace what was in the slice: %v %+v", err, rows)
		}
		return addIn(ctx, q, "blue")
	})
	if err != nil {
		t.Fatalf("a missing row is no failure of the write: %v", err)
	}
	var none []string
	err = d.Read(ctx, func(q db.Querier) error {
		return db.LooseSystem(`SELECT name FROM tenants WHERE name = 'nobody'`).Select(ctx, q, &none, nil)
	})
	if err != nil || none == nil || len(none) != 0 {
		t.Errorf("no rows make an empty slice: %v %v", none, err)
	}
}

// TestValues sends every kind of value through both engines and back.
func TestValues(t *testing.T) { dbtest.Each(t, testValues) }

func testValues(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme")
	acme := db.TenantOf("ten_acme")
	type sessionRow struct {
		ID       string          `db:"id"`
		Title    string          `db:"title"`
		Metadata json.RawMessage `db:"metadata"`
		EndUser  *string         `db:"end_user"`
	}
	user := "u1"
	raw := json.RawMessage(`{"b": 1,  "a":"é\u0000"}`) // the bytes are kept, spaces and order too
	for _, want := range []sessionRow{{"ses_1", "title '; --", raw, &user}, {"ses_2", "", json.RawMessage(`null`), nil}} {
		var got sessionRow
		err := d.Write(ctx, func(q db.Querier) error {
			_, err := addSession.Exec(ctx, q, acme, db.Args{"id": want.ID, "title": want.Title, "metadata": want.Metadata, "end_user": want.EndUser, "now": db.At(time.Now())})
			if err != nil {
				return err
			}
			return oneSession.Get(ctx, q, acme, &got, db.Args{"id": want.ID})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != want.ID || got.Title != want.Title || string(got.Metadata) != string(want.Metadata) || (got.EndUser == nil) != (want.EndUser == nil) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for key, body := range map[string][]byte{"some": {0, 1, 0xff}, "none": nil} {
		var got struct {
			Status *bool  `db:"status"`
			Body   []byte `db:"body"`
		}
		err := d.Write(ctx, func(q db.Querier) error {
			_, err := addVisit.Exec(ctx, q, acme, db.Args{"key": key, "status": true, "body": body})
			return errors.Join(err, oneVisit.Get(ctx, q, acme, &got, db.Args{"key": key}))
		})
		if err != nil || got.Status == nil || !*got.Status || string(got.Body) != string(body) || (got.Body == nil) != (body == nil) {
			t.Errorf("%s: %+v %v", key, got, err)
		}
	}
}

// TestTextThatOneEngineRefuses is refused by both: SQLite would keep it, and then a move to Postgres would fail.
func TestTextThatOneEngineRefuses(t *testing.T) { dbtest.Each(t, testTextRefused) }

func testTextRefused(t *testing.T, d *db.DB) {
	for _, name := range []string{"zero\x00byte", "broken\xff"} {
		if err := add(d, name); !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("%q: %v", name, err)
		}
	}
	ctx := context.Background()
	err := d.Write(ctx, func(q db.Querier) error {
		_, err := addSession.Exec(ctx, q, db.TenantOf("ten_acme"), db.Args{"id": "s", "title": "", "metadata": json.RawMessage("\"\xff\""), "end_user": nil, "now": 1})
		return err
	})
	if !fault.Is(err, fault.InvalidRequest) {
		t.Errorf("JSON with broken UTF-8: %v", err)
	}
}

func TestTimeRoundTrip(t *testing.T) { dbtest.Each(t, testTime) }

func testTime(t *testing.T, d *db.DB) {
	ctx := context.Background()
	echo := db.LooseSystem(`SELECT CAST(:at AS BIGINT) AS at`)
	zone := time.FixedZone("far", 13*3600)
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Date(2026, 2, 29, 1, 2, 3, 4_567_891, zone), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		var got db.Time
		if err := d.Read(ctx, func(q db.Querier) error { return echo.Get(ctx, q, &got, db.Args{"at": db.At(at)}) }); err != nil {
			t.Fatal(err)
		}
		if got != db.At(at) || !got.Equal(at.Truncate(time.Microsecond)) || got.Location() != time.UTC {
			t.Errorf("%v came back as %v", at, got)
		}
	}
	var got db.Time
	err := d.Read(ctx, func(q db.Querier) error { return echo.Get(ctx, q, &got, db.Args{"at": time.Now()}) })
	if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "db.At") {
		t.Errorf("a bare time.Time must be refused with advice: %v", err)
	}
}

// TestMistakes are those of a program, found by its first test: each is an error that names the statement.
func TestMistakes(t *testing.T) { dbtest.Each(t, testMistakes) }

func testMistakes(t *testing.T, d *db.DB) {
	ctx := context.Background()
	acme := db.TenantOf("ten_acme")
	var row tenantRow
	var rows []tenantRow
	var small struct {
		ID string `db:"id"`
	}
	for name, call := range map[string]func(q db.Querier) error{
		"missing argument":      func(q db.Querier) error { return oneSession.Get(ctx, q, acme, &small, nil) },
		"misspelt argument":     func(q db.Querier) error { return oneSession.Get(ctx, q, acme, &small, db.Args{"ID": "x"}) },
		"surplus argument":      func(q db.Querier) error { return oneTenant.Get(ctx, q, acme, &row, db.Args{"id": "x"}) },
		"tenant as argument":    func(q db.Querier) error { return oneTenant.Get(ctx, q, acme, &row, db.Args{"tenant_id": "ten_b"}) },
		"no tenant":             func(q db.Querier) error { return oneTenant.Get(ctx, q, db.Tenant{}, &row, nil) },
		"empty tenant":          func(q db.Querier) error { return oneTenant.Get(ctx, q, db.TenantOf(""), &row, nil) },
		"every tenant":          func(q db.Querier) error { return oneTenant.Get(ctx, q, db.TenantOf("*"), &row, nil) },
		"dest is a value":       func(q db.Querier) error { return oneTenant.Get(ctx, q, acme, row, nil) },
		"dest is nil":           func(q db.Querier) error { return oneTenant.Get(ctx, q, acme, (*tenantRow)(nil), nil) },
		"dest lacks a column":   func(q db.Querier) error { return oneTenant.Get(ctx, q, acme, &small, nil) },
		"dest is no slice":      func(q db.Querier) error { return allTenants.Select(ctx, q, &row, nil) },
		"dest is a slice value": func(q db.Querier) error { return allTenants.Select(ctx, q, rows, nil) },
	} {
		err := d.Read(ctx, call)
		if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "statement test.") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOperatorRows(t *testing.T) { dbtest.Each(t, testOperatorRows) }

func testOperatorRows(t *testing.T, d *db.DB) {
	ctx := context.Background()
	put := func(tenant db.Tenant, status int) error {
		return d.Write(ctx, func(q db.Querier) error {
			_, err := addVisit.Exec(ctx, q, tenant, db.Args{"key": "k", "status": status, "body": nil})
			return err
		})
	}
	if err := errors.Join(put(db.Operator, 201), put(db.TenantOf("ten_acme"), 200)); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[db.Tenant]int{db.Operator: 201, db.TenantOf("ten_acme"): 200} {
		var got struct {
			Status int    `db:"status"`
			Body   []byte `db:"body"`
		}
		err := d.Read(ctx, func(q db.Querier) error { return oneVisit.Get(ctx, q, tenant, &got, db.Args{"key": "k"}) })
		if err != nil || got.Status != want {
			t.Errorf("%q: %+v %v", tenant.ID(), got, err)
		}
	}
}

func TestConflict(t *testing.T) { dbtest.Each(t, testConflict) }

func testConflict(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme")
	err := d.Write(ctx, func(q db.Querier) error {
		_, err := addTenant.Exec(ctx, q, db.Args{"id": "ten_other", "name": "acme", "now": 1})
		return err
	})
	if !fault.Is(err, fault.Conflict) || db.Constraint(err) != "tenants_name_key" {
		t.Errorf("same name: %v, constraint %q", err, db.Constraint(err))
	}
	if strings.Contains(err.Error(), "acme") {
		t.Errorf("the error repeats the value: %v", err)
	}
	err = d.Write(ctx, func(q db.Querier) error {
		_, err := addTenant.Exec(ctx, q, db.Args{"id": "ten_acme", "name": "other", "now": 1})
		return err
	})
	if !fault.Is(err, fault.Conflict) || db.Constraint(err) != "tenants_pkey" {
		t.Errorf("same id: %v, constraint %q", err, db.Constraint(err))
	}
	err = d.Write(ctx, func(q db.Querier) error {
		_, err := addSession.Exec(ctx, q, db.TenantOf("ten_gone"), db.Args{"id": "s", "title": "", "metadata": "{}", "end_user": nil, "now": 1})
		return err
	})
	if !fault.Is(err, fault.NotFound) || db.Constraint(err) != "" {
		t.Errorf("parent missing: %v", err)
	}
	if db.Constraint(nil) != "" || db.Constraint(errors.New("x")) != "" {
		t.Error("Constraint of something else must be empty")
	}
}

// TestFailedStatementUndoesTheWrite even when the function swallows the failure: otherwise a room would work on SQLite and break on Postgres.
func TestFailedStatementUndoesTheWrite(t *testing.T) { dbtest.Each(t, testSwallowed) }

func testSwallowed(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme")
	err := d.Write(ctx, func(q db.Querier) error {
		if err := addIn(ctx, q, "blue"); err != nil {
			return err
		}
		if err := addIn(ctx, q, "acme"); !fault.Is(err, fault.Conflict) {
			t.Errorf("want a conflict: %v", err)
		}
		if err := addIn(ctx, q, "cyan"); !fault.Is(err, fault.Conflict) {
			t.Errorf("the next statement repeats the failure: %v", err)
		}
		return nil
	})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("a swallowed failure comes out: %v", err)
	}
	if got := strings.Join(names(t, d), " "); got != "acme" {
		t.Errorf("kept: %s", got)
	}
}

func TestWriteUndoneByError(t *testing.T) { dbtest.Each(t, testUndone) }

func testUndone(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mine := errors.New("mine")
	err := d.Write(ctx, func(q db.Querier) error {
		return errors.Join(addIn(ctx, q, "acme"), mine)
	})
	if !errors.Is(err, mine) {
		t.Errorf("the function's own error comes back: %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic must reach the caller")
			}
		}()
		_ = d.Write(ctx, func(q db.Querier) error {
			_ = addIn(ctx, q, "blue")
			panic("mine")
		})
	}()
	func() {
		defer func() { _ = recover() }()
		_ = d.Read(ctx, func(db.Querier) error { panic("mine") })
	}()
	left := make(chan struct{})
	go func() { // as t.FailNow does
		defer close(left)
		_ = d.Write(ctx, func(q db.Querier) error {
			_ = addIn(ctx, q, "cyan")
			runtime.Goexit()
			return nil
		})
		t.Error("Goexit in a function must end its caller's goroutine")
	}()
	<-left
	if got := names(t, d); len(got) != 0 {
		t.Errorf("kept: %v", got)
	}
	mustAdd(t, d, "after")
}

func TestQuerierIsOver(t *testing.T) { dbtest.Each(t, testOver) }

func testOver(t *testing.T, d *db.DB) {
	ctx := context.Background()
	var kept []db.Querier
	keep := func(q db.Querier) error { kept = append(kept, q); return nil }
	if err := errors.Join(d.Read(ctx, keep), d.Write(ctx, keep)); err != nil {
		t.Fatal(err)
	}
	for _, q := range kept {
		if err := addIn(ctx, q, "late"); err == nil {
			t.Error("a Querier worked after its time")
		}
	}
}

func TestReadCannotWrite(t *testing.T) { dbtest.Each(t, testReadOnly) }

func testReadOnly(t *testing.T, d *db.DB) {
	ctx := context.Background()
	if err := d.Read(ctx, func(q db.Querier) error { return addIn(ctx, q, "acme") }); !fault.Is(err, fault.StoreUnavailable) {
		t.Errorf("a write in Read: %v", err)
	}
	mustAdd(t, d, "acme")
}

// TestReadIsASnapshot also shows that no reader waits for a writer: the write happens in the middle of the read.
func TestReadIsASnapshot(t *testing.T) { dbtest.Each(t, testSnapshot) }

func testSnapshot(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme")
	err := d.Read(ctx, func(q db.Querier) error {
		for range 2 {
			var list []string
			if err := tenantNames.Select(ctx, q, &list, nil); err != nil {
				return err
			}
			if len(list) != 1 {
				t.Errorf("the read sees %v", list)
			}
			_ = add(d, "blue")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(names(t, d)); got != 2 {
		t.Errorf("%d tenants afterwards", got)
	}
}

func TestManyWriters(t *testing.T) { dbtest.Each(t, testManyWriters) }

func testManyWriters(t *testing.T, d *db.DB) {
	ctx := context.Background()
	mustAdd(t, d, "acme")
	acme := db.TenantOf("ten_acme")
	const writers, each = 64, 20
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				err := d.Write(ctx, func(q db.Querier) error {
					_, err := bumpTenant.Exec(ctx, q, acme, nil)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var version int
	if err := d.Read(ctx, func(q db.Querier) error { return readVersion.Get(ctx, q, acme, &version, nil) }); err != nil {
		t.Fatal(err)
	}
	if want := 1 + writers*each; version != want {
		t.Errorf("%d increments were kept, want %d", version-1, want-1)
	}
}

func TestClosed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		nothing := func(db.Querier) error { t.Error("ran after Close"); return nil }
		if err := d.Write(ctx, nothing); !fault.Is(err, fault.ShuttingDown) {
			t.Errorf("write: %v", err)
		}
		if err := d.Read(ctx, nothing); !fault.Is(err, fault.ShuttingDown) {
			t.Errorf("read: %v", err)
		}
		if d.Ready(ctx) == nil {
			t.Error("a closed database is not ready")
		}
	})
}
