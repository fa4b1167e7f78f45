package db

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/clawless/clawless/server/fault"
)

// statement is one SQL text of the registry, compiled for both engines.
type statement struct {
	name     string
	text     string
	scoped   bool
	lite, pg compiled
	params   int // distinct arguments that the caller gives
	plan     atomic.Pointer[plan]
}

// ScopedStatement touches the rows of one tenant, which it is given with every call.
type ScopedStatement struct{ s *statement }

// SystemStatement crosses tenants by intent: the operator's lists, the look-up of a key, sweeps.
type SystemStatement struct{ s *statement }

// registry holds every statement of the program by name; it is filled while package variables are set, and read afterwards.
var registry = struct {
	sync.Mutex
	byName map[string]*statement
}{byName: map[string]*statement{}}

// Scoped registers a statement on a tenant's rows. It panics, at the start of the program, when the name is taken, the text does not compile, or :tenant_id is missing from it.
func Scoped(name, text string) ScopedStatement { return ScopedStatement{register(name, text, true)} }

// System registers a statement that is not bound to one tenant. It panics when the name is taken or the text does not compile.
func System(name, text string) SystemStatement { return SystemStatement{register(name, text, false)} }

// ScopedPair registers a statement on a tenant's rows that each engine says in its own words, with the same arguments: a search is one, and little else should be.
// It panics as Scoped does, and when the two texts differ in their arguments.
func ScopedPair(name, sqlite, postgres string) ScopedStatement {
	s, err := newStatement(name, sqlite, true)
	if err != nil {
		panic(err)
	}
	other, err := newStatement(name, postgres, true)
	if err != nil {
		panic(err)
	}
	if !slices.Equal(slices.Sorted(slices.Values(s.pg.names)), slices.Sorted(slices.Values(other.pg.names))) {
		panic(fmt.Errorf("db: the two texts of statement %s have different arguments", name))
	}
	s.pg = other.pg
	return ScopedStatement{enter(s)}
}

func register(name, text string, scoped bool) *statement {
	s, err := newStatement(name, text, scoped)
	if err != nil {
		panic(err)
	}
	return enter(s)
}

// enter puts a statement into the registry.
func enter(s *statement) *statement {
	name := s.name
	registry.Lock()
	defer registry.Unlock()
	if registry.byName[name] != nil {
		panic(fmt.Errorf("db: two statements are called %s", name))
	}
	registry.byName[name] = s
	return s
}

func newStatement(name, text string, scoped bool) (*statement, error) {
	lite, pg, err := compile(text)
	if err != nil {
		return nil, fmt.Errorf("db: statement %s: %w", name, err)
	}
	s := &statement{name: name, text: text, scoped: scoped, lite: lite, pg: pg, params: len(pg.names)}
	if scoped {
		if !slices.Contains(pg.names, tenantParam) {
			return nil, fmt.Errorf("db: statement %s is scoped, but does not name :%s", name, tenantParam)
		}
		s.params--
	}
	return s, nil
}

// StatementInfo describes a registered statement to tests and tools.
type StatementInfo struct {
	Name   string
	Scoped bool
	SQLite string // with ? in place of names
	Params []string
}

// Statements lists what is registered, by name.
func Statements() []StatementInfo {
	var list []StatementInfo
	for _, s := range registered() {
		list = append(list, StatementInfo{Name: s.name, Scoped: s.scoped, SQLite: s.lite.sql, Params: slices.Clone(s.pg.names)})
	}
	return list
}

func registered() []*statement {
	registry.Lock()
	defer registry.Unlock()
	list := make([]*statement, 0, len(registry.byName))
	for _, name := range slices.Sorted(maps.Keys(registry.byName)) {
		list = append(list, registry.byName[name])
	}
	return list
}

// Get reads the first row into dest, a pointer to a struct with `db` tags or to a scalar. No row is a fault with code not_found.
func (s ScopedStatement) Get(ctx context.Context, q Querier, t Tenant, dest any, args Args) error {
	return q.get(ctx, s.s, t, dest, args)
}

// Select reads every row into dest, a pointer to a slice; without rows the slice is empty and not nil.
func (s ScopedStatement) Select(ctx context.Context, q Querier, t Tenant, dest any, args Args) error {
	return q.list(ctx, s.s, t, dest, args)
}

// Exec runs the statement and returns the number of rows it changed.
func (s ScopedStatement) Exec(ctx context.Context, q Querier, t Tenant, args Args) (int64, error) {
	return q.exec(ctx, s.s, t, args)
}

// Get reads the first row into dest, a pointer to a struct with `db` tags or to a scalar. No row is a fault with code not_found.
func (s SystemStatement) Get(ctx context.Context, q Querier, dest any, args Args) error {
	return q.get(ctx, s.s, Tenant{}, dest, args)
}

// Select reads every row into dest, a pointer to a slice; without rows the slice is empty and not nil.
func (s SystemStatement) Select(ctx context.Context, q Querier, dest any, args Args) error {
	return q.list(ctx, s.s, Tenant{}, dest, args)
}

// Exec runs the statement and returns the number of rows it changed.
func (s SystemStatement) Exec(ctx context.Context, q Querier, args Args) (int64, error) {
	return q.exec(ctx, s.s, Tenant{}, args)
}

const (
	tenantParam = "tenant_id"
	everyTenant = "*" // what app.tenant says while a system statement runs
)

// bind puts the arguments in the order of the placeholders. Both a missing and a surplus one are mistakes of the program.
func (s *statement) bind(names []string, t Tenant, args Args) ([]any, error) {
	if s.scoped && !t.valid() {
		return nil, fmt.Errorf("statement %s needs a tenant", s.name)
	}
	if len(args) != s.params {
		return nil, fmt.Errorf("statement %s takes the arguments %v, not these %d", s.name, s.pg.names, len(args))
	}
	values := make([]any, len(names))
	for i, name := range names {
		if s.scoped && name == tenantParam {
			values[i] = t.id
			continue
		}
		v, ok := args[name]
		if !ok {
			return nil, fmt.Errorf("statement %s lacks the argument %s", s.name, name)
		}
		var err error
		if values[i], err = portable(v); err != nil {
			return nil, fmt.Errorf("statement %s, argument %s: %w", s.name, name, err)
		}
	}
	return values, nil
}

// portable turns what the two drivers would store differently into what both store alike.
func portable(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return text(v)
	case json.RawMessage:
		if v == nil {
			return nil, nil
		}
		return text(string(v))
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case time.Time, *time.Time:
		return nil, fmt.Errorf("a %T is stored as db.At(t)", v)
	}
	return v, nil
}

// text refuses what Postgres cannot keep and SQLite would, such as a title that a client wrote with a zero byte in it.
func text(s string) (any, error) {
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return nil, fault.New(fault.InvalidRequest, "text with a zero byte or broken UTF-8 cannot be stored")
	}
	return s, nil
}
