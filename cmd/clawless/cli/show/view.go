// Package show prints results: tables for people, JSON, JSON lines and YAML for machines.
package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Format is a form of output: table for people, json, jsonl and yaml for machines. Its zero value is table.
type Format string

// The forms of output.
const (
	Table Format = "table"
	JSON  Format = "json"
	JSONL Format = "jsonl"
	YAML  Format = "yaml"
)

// Formats lists the forms.
var Formats = []string{string(Table), string(JSON), string(JSONL), string(YAML)}

// Machine reports whether a program reads the output.
func (f Format) Machine() bool { return f != "" && f != Table }

// Printer is where and how to print.
type Printer struct {
	Out    io.Writer // data
	Err    io.Writer // notes
	Format Format
	Quiet  bool // ids only, no notes
	Colour bool // whether Out takes colours
	Width  int  // columns of the terminal behind Out; zero when there is none
	Now    time.Time
}

// View says how a noun is printed. A package declares one and prints every list and every single one of its noun with it.
type View[T any] struct {
	ID      func(T) string // what --quiet prints
	Columns []Column[T]
	Empty   string // said on Err when a table has no rows, such as "no tenants yet; try: clawless tenant create NAME"
}

// Column is one column of a table, or one line of a single object.
type Column[T any] struct {
	Head   string      // in upper case
	Cell   func(T) any // a text, number, bool, []string or time; a zero time and nil are shown as -
	Detail bool        // left out of lists
	Fixed  bool        // never cut short to fit the terminal; the first column never is
}

// List prints the items in the form that -o asks for. Machines get them as they are, an empty list as [].
func (v View[T]) List(p Printer, items []T) error {
	if p.Quiet {
		return v.quiet(p, items)
	}
	switch p.Format {
	case JSON, YAML:
		if items == nil {
			items = []T{}
		}
		return p.encode(items)
	case JSONL:
		for _, item := range items {
			if err := p.encode(item); err != nil {
				return err
			}
		}
		return nil
	}
	if len(items) == 0 {
		if v.Empty != "" {
			return write(p.Err, v.Empty+"\n")
		}
		return nil
	}
	return v.table(p, items)
}

// One prints a single object in the form that -o asks for; in a table it is one line for each column.
func (v View[T]) One(p Printer, item T) error {
	if p.Quiet {
		return v.quiet(p, []T{item})
	}
	if p.Format.Machine() {
		return p.encode(item)
	}
	rows := make([][]string, 0, len(v.Columns))
	for _, c := range v.Columns {
		rows = append(rows, []string{Bold.Paint(p.Colour, c.Head), p.cell(c.Cell(item))})
	}
	return write(p.Out, layout(rows, nil, 0))
}

// Value prints a value that has no View: machine forms as they are, and for people the lines.
func (p Printer) Value(value any, lines ...string) error {
	if p.Format.Machine() {
		return p.encode(value)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(p.Out, line); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

// Line prints one event of a stream as a line of JSON, whatever machine form was asked for.
func (p Printer) Line(value any) error {
	data, err := marshal(value)
	if err != nil {
		return err
	}
	return write(p.Out, string(data))
}

func (v View[T]) quiet(p Printer, items []T) error {
	var b strings.Builder
	for _, item := range items {
		b.WriteString(Clean(v.ID(item)) + "\n")
	}
	return write(p.Out, b.String())
}

func (v View[T]) table(p Printer, items []T) error {
	var head []string
	var fixed []bool
	for i, c := range v.Columns {
		if !c.Detail {
			head = append(head, Bold.Paint(p.Colour, c.Head))
			fixed = append(fixed, c.Fixed || i == 0)
		}
	}
	rows := [][]string{head}
	for _, item := range items {
		var row []string
		for _, c := range v.Columns {
			if !c.Detail {
				row = append(row, p.cell(c.Cell(item)))
			}
		}
		rows = append(rows, row)
	}
	return write(p.Out, layout(rows, fixed, p.Width))
}

// encode writes a value in a machine form. JSON keeps the order of the struct's fields, and YAML is the same tree.
func (p Printer) encode(value any) error {
	data, err := marshal(value)
	if err != nil {
		return err
	}
	switch p.Format {
	case YAML:
		return writeYAML(p.Out, data)
	case JSON:
		var b bytes.Buffer
		if err := json.Indent(&b, data, "", "  "); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return write(p.Out, b.String())
	}
	return write(p.Out, string(data))
}

func marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // people read it, and no browser does
	if err := enc.Encode(value); err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}
	return escape(b.Bytes()), nil
}

func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (p Printer) cell(value any) string {
	switch v := value.(type) {
	case nil:
		return "-"
	case time.Time:
		return Ago(p.Now, v)
	case *time.Time:
		if v == nil {
			return "-"
		}
		return Ago(p.Now, *v)
	case []string:
		if len(v) == 0 {
			return "-"
		}
		return Clean(strings.Join(v, ", "))
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case string:
		if v == "" {
			return "-"
		}
		return Clean(v)
	}
	return Clean(fmt.Sprint(value))
}

// Ago says how far t lies from now in words, such as "3 minutes ago" or "in 2 days"; a zero time is "-".
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := now.Sub(t)
	future := d < 0
	d = d.Abs()
	if d < time.Second {
		return "just now"
	}
	n, unit := int(d/time.Second), "second"
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Minute, "minute"}, {time.Hour, "hour"}, {24 * time.Hour, "day"}, {30 * 24 * time.Hour, "month"}, {365 * 24 * time.Hour, "year"}} {
		if d >= u.size {
			n, unit = int(d/u.size), u.name
		}
	}
	text := strconv.Itoa(n) + " " + unit
	if n != 1 {
		text += "s"
	}
	if future {
		return "in " + text
	}
	return text + " ago"
}
