package kit

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Hint is what the error says the person can do next, or empty.
func Hint(err error) string {
	var h Hinter
	if errors.As(err, &h) {
		return Line(h.Hint())
	}
	return ""
}

// Status is one line of width columns: left at its left end, right at its right end if there is room for both.
func (t Theme) Status(left, right string, width int) string {
	left = t.Cut(left, width)
	gap := width - Width(left) - Width(right)
	if gap < 2 {
		return left
	}
	return left + strings.Repeat(" ", gap) + right
}

// Count writes a number with commas: 1,234,567.
func Count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural is "1 message" or "2 messages".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}

// Ago says how long a moment is past, in one unit.
func Ago(then, now time.Time) string {
	switch d := now.Sub(then); {
	case then.IsZero():
		return ""
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	case d < 365*24*time.Hour:
		return then.Format("2 Jan")
	}
	return then.Format("2 Jan 2006")
}
