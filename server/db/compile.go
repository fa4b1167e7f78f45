package db

import (
	"fmt"
	"strconv"
	"strings"
)

// compiled is a statement in the words of one engine.
type compiled struct {
	sql   string
	names []string // the argument of each placeholder, in order
}

// compile replaces every :name outside literals, quoted identifiers and comments: by ? for SQLite, by $n for Postgres, where a name that occurs again keeps its number.
// It refuses what the two engines read differently, so that one text means one thing.
func compile(text string) (lite, pg compiled, err error) {
	var l, p strings.Builder
	numbers := map[string]int{}
	emit := func(s string) {
		l.WriteString(s)
		p.WriteString(s)
	}
	for i := 0; i < len(text); {
		n, refused := skip(text[i:])
		if refused == "" && opensEscape(text, i) {
			refused = "an E'' literal"
		}
		if refused != "" {
			return lite, pg, fmt.Errorf("%s is not portable, at byte %d", refused, i)
		}
		if n > 0 {
			emit(text[i : i+n])
			i += n
			continue
		}
		name := identifier(text[i+1:])
		if text[i] != ':' || name == "" {
			emit(text[i : i+1])
			i++
			continue
		}
		if numbers[name] == 0 {
			numbers[name] = len(numbers) + 1
			pg.names = append(pg.names, name)
		}
		l.WriteByte('?')
		lite.names = append(lite.names, name)
		p.WriteString("$" + strconv.Itoa(numbers[name]))
		i += 1 + len(name)
	}
	lite.sql, pg.sql = l.String(), p.String()
	return lite, pg, nil
}

// skip tells how many bytes at the start of s pass through untouched because they are a literal, an identifier, a comment or a cast, or what there is refused.
func skip(s string) (n int, refused string) {
	switch c := s[0]; {
	case c == '\'' || c == '"':
		return quoted(s, c)
	case strings.HasPrefix(s, "--"):
		if end := strings.IndexByte(s, '\n'); end >= 0 {
			return end, ""
		}
		return len(s), ""
	case strings.HasPrefix(s, "/*"):
		end := strings.Index(s[2:], "*/")
		if end < 0 {
			return 0, "a comment without an end"
		}
		if strings.Contains(s[2:2+end], "/*") {
			return 0, "a comment within a comment"
		}
		return end + 4, ""
	case strings.HasPrefix(s, "::"), strings.HasPrefix(s, "@@ "): // a cast, and Postgres' match of a text search, which SQLite refuses when it parses the statement
		return 2, ""
	case c == '?' || c == '$' || c == '@' || c == '`' || c == '[' || c == '#':
		return 0, "the sign " + string(c)
	case c == ';':
		return 0, "a second statement"
	case c == 0:
		return 0, "a zero byte"
	case letter(c):
		return len(identifier(s)), ""
	}
	return 0, ""
}

// quoted measures a literal or a quoted identifier, in which the quote itself is doubled.
func quoted(s string, quote byte) (n int, refused string) {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == 0:
			return 0, "a zero byte"
		case s[i] != quote:
		case i+1 < len(s) && s[i+1] == quote:
			i++
		default:
			return i + 1, ""
		}
	}
	return 0, "a quote without an end"
}

// opensEscape reports whether a word just before a quote makes it more than a plain literal: E'..', B'..', X'..', U&'..'. The engines disagree about those.
func opensEscape(text string, i int) bool {
	return i > 0 && text[i] == '\'' && (letter(text[i-1]) || digit(text[i-1]) || text[i-1] == '&')
}

// identifier is the word at the start of s, or nothing.
func identifier(s string) string {
	n := 0
	for n < len(s) && (letter(s[n]) || n > 0 && digit(s[n])) {
		n++
	}
	return s[:n]
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
func digit(c byte) bool { return c >= '0' && c <= '9' }
