package db

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/jmoiron/sqlx/reflectx"
)

// fieldNames finds struct fields by their `db` tag, or by the lower-case name, as sqlx does.
var fieldNames = reflectx.NewMapperFunc("db", strings.ToLower)

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	rawType     = reflect.TypeFor[json.RawMessage]()
)

// plan says where the columns of a statement go in a Go type. It is made once for a statement and its usual type.
type plan struct {
	typ    reflect.Type
	fields [][]int // nil for a scalar
}

// planFor returns the plan for rows read into typ. A column without a field is an error, so that a renamed one is noticed.
func (s *statement) planFor(rows *sql.Rows, typ reflect.Type) (*plan, error) {
	if p := s.plan.Load(); p != nil && p.typ == typ {
		return p, nil
	}
	p := &plan{typ: typ}
	if typ.Kind() == reflect.Struct && !reflect.PointerTo(typ).Implements(scannerType) {
		columns, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		p.fields = fieldNames.TraversalsByName(typ, columns)
		for i, f := range p.fields {
			if len(f) == 0 {
				return nil, fmt.Errorf("statement %s: %s has no field for the column %s", s.name, typ, columns[i])
			}
		}
	}
	s.plan.Store(p)
	return p, nil
}

// targets fills to with pointers into v, a settable value of the plan's type.
func (p *plan) targets(v reflect.Value, to []any) []any {
	to = to[:0]
	if p.fields == nil {
		return append(to, target(v))
	}
	for _, f := range p.fields {
		to = append(to, target(reflectx.FieldByIndexes(v, f)))
	}
	return to
}

func target(v reflect.Value) any {
	if v.Type() == rawType {
		return rawText{v.Addr().Interface().(*json.RawMessage)}
	}
	return v.Addr().Interface()
}

// rawText reads a TEXT column into JSON bytes, which database/sql does only for plain []byte.
type rawText struct{ to *json.RawMessage }

// Scan implements sql.Scanner.
func (r rawText) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*r.to = nil
	case string:
		*r.to = json.RawMessage(v)
	case []byte:
		*r.to = append(json.RawMessage{}, v...)
	default:
		return fmt.Errorf("cannot read %T as JSON", src)
	}
	return nil
}

// scanOne reads the first row into dest and reports sql.ErrNoRows when there is none.
func scanOne(s *statement, rows *sql.Rows, dest any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("statement %s: dest must be a pointer, not %T", s.name, dest)
	}
	p, err := s.planFor(rows, v.Type().Elem())
	if err != nil {
		return err
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	var few [16]any
	if err := rows.Scan(p.targets(v.Elem(), few[:])...); err != nil {
		return err
	}
	return rows.Close() // not Next: the rest of the rows is nobody's business
}

// scanAll replaces the slice that dest points to by the rows.
func scanAll(s *statement, rows *sql.Rows, dest any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Slice {
		return fmt.Errorf("statement %s: dest must be a pointer to a slice, not %T", s.name, dest)
	}
	slice := v.Elem()
	elem := slice.Type().Elem()
	p, err := s.planFor(rows, elem)
	if err != nil {
		return err
	}
	slice.Set(reflect.MakeSlice(slice.Type(), 0, 0))
	to := make([]any, 0, len(p.fields)+1)
	for rows.Next() {
		slice.Grow(1)
		slice.SetLen(slice.Len() + 1)
		last := slice.Index(slice.Len() - 1)
		last.SetZero()
		if err := rows.Scan(p.targets(last, to)...); err != nil {
			return err
		}
	}
	return rows.Err()
}
