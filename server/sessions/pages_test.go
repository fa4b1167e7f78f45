package sessions

import (
	"encoding/json"
	"testing"
)

// TestGather: every page is full or as large as may be, none repeats or misses a message, and the last one says so.
func TestGather(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": 1 << 20, "huge": 20 << 20} {
		for _, total := range []int{0, 1, 7, 8, 9, 50, 51, 120} {
			text := make(json.RawMessage, size)
			reads := 0
			next := func(at int64, n int) (rows []Message, err error) {
				reads++
				if int64(n)*int64(size) > 2*maxBytes+int64(firstBatch*size) {
					t.Errorf("%s: %d messages at once", name, n)
				}
				for s := at + 1; s <= int64(total) && len(rows) < n; s++ {
					rows = append(rows, Message{Sequence: s, Content: text})
				}
				return rows, nil
			}
			at, seen, pages := int64(0), 0, 0
			for more := true; more; pages++ {
				var rows []Message
				var err error
				rows, more, err = gather(50, at, next)
				if err != nil || len(rows) > 50 || more && len(rows) == 0 || more && len(rows) < 50 && len(rows)*size < maxBytes {
					t.Fatalf("%s, %d: a page of %d, more %v, %v", name, total, len(rows), more, err)
				}
				for _, m := range rows {
					if seen++; m.Sequence != int64(seen) {
						t.Fatalf("%s, %d: message %d comes after %d", name, total, m.Sequence, seen-1)
					}
					at = m.Sequence
				}
			}
			if seen != total || name == "small" && reads > 4*pages {
				t.Errorf("%s: %d of %d messages in %d pages by %d reads", name, seen, total, pages, reads)
			}
		}
	}
}
