package api

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/clawless/clawless/server/fault"
)

// PageParams are the query parameters of every list.
type PageParams struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"200" doc:"next_cursor of the page before"`
}

// Page is one page of a list.
type Page[T any] struct {
	Data       []T     `json:"data" nullable:"false"`
	HasMore    bool    `json:"has_more" doc:"Whether another page follows"`
	NextCursor *string `json:"next_cursor" doc:"The cursor of the next page, null on the last one"`
}

// PageOf makes a page from up to limit+1 rows, of which the last only proves that there are more; cursor names the position of a row.
func PageOf[R, T any](rows []R, limit int, wire func(R) T, cursor func(R) string) Page[T] {
	p := Page[T]{Data: make([]T, 0, len(rows))}
	for i, r := range rows {
		if i == limit {
			p.HasMore = true
			next := cursor(rows[i-1])
			p.NextCursor = &next
			break
		}
		p.Data = append(p.Data, wire(r))
	}
	return p
}

// TimeCursor is the position of a row in a list ordered by a time and then an id.
func TimeCursor(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("t" + strconv.FormatInt(at.UnixMicro(), 10) + " " + id))
}

// ParseTimeCursor reads a TimeCursor. The empty cursor is the start: a time and id after every row of a list that is newest first.
func ParseTimeCursor(cursor string) (time.Time, string, error) {
	if cursor == "" {
		return time.UnixMicro(1 << 60), "~", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	at, id, ok := strings.Cut(string(b), " ")
	if err != nil || !ok || !strings.HasPrefix(at, "t") {
		return time.Time{}, "", badCursor()
	}
	n, err := strconv.ParseInt(at[1:], 10, 64)
	if err != nil {
		return time.Time{}, "", badCursor()
	}
	return time.UnixMicro(n), id, nil
}

// NumberCursor is the position of a row in a list ordered by a number.
func NumberCursor(n int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("n" + strconv.FormatInt(n, 10)))
}

// ParseNumberCursor reads a NumberCursor; the empty cursor is 0.
func ParseNumberCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < 2 || b[0] != 'n' {
		return 0, badCursor()
	}
	n, err := strconv.ParseInt(string(b[1:]), 10, 64)
	if err != nil || n < 0 {
		return 0, badCursor()
	}
	return n, nil
}

func badCursor() error {
	return fault.New(fault.InvalidRequest, "cursor is not one that this list gave; start again without it").WithParam("cursor")
}
