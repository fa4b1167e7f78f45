package dbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PostgresEnv names the variable with the URL of a Postgres administrator, under whom each test gets a role without privileges and a database of its own.
const PostgresEnv = "CLAWLESS_TEST_POSTGRES"

// role is an ordinary one on purpose: row level security does not bind a superuser.
const role = "clawless_test"

// Each runs the test on a fresh SQLite and, when CLAWLESS_TEST_POSTGRES is set, on a fresh Postgres database; without it the second one is skipped and says so.
func Each(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, New(t)) })
	t.Run("postgres", func(t *testing.T) {
		test(t, Open(t, db.Options{URL: PostgresURL(t), Migrate: true}))
	})
}

// PostgresURL makes an empty database that an ordinary role owns, and drops it when the test ends. It skips the test when no Postgres is named.
func PostgresURL(t testing.TB) string {
	t.Helper()
	admin := os.Getenv(PostgresEnv)
	if admin == "" {
		t.Skipf("SKIPPED ON POSTGRES: set %s to an administrator's URL, for example with: export %s=$(build/postgres.sh start DIR)", PostgresEnv, PostgresEnv)
	}
	name := "t_" + strings.ToLower(rand.Text())
	run(t, admin, "CREATE ROLE "+role+" LOGIN PASSWORD '"+role+"' NOSUPERUSER NOBYPASSRLS")
	run(t, admin, "CREATE DATABASE "+name+" OWNER "+role)
	t.Cleanup(func() { run(t, admin, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatalf("%s is not a URL", PostgresEnv) // err would repeat the password
	}
	u.User, u.Path = url.UserPassword(role, role), "/"+name
	return u.String()
}

// run carries out one statement as the administrator. That the role exists, perhaps since a moment ago by another test's doing, is no failure.
func run(t testing.TB, admin, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		t.Fatalf("connect to the Postgres of %s: %v", PostgresEnv, err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42710" || pg.Code == "23505") {
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", strings.Fields(statement)[0], err)
	}
}
