package llm

import (
	"regexp"
	"strings"
	"unicode"
)

// maxPublic is the length, in characters, of what is shown of a provider's message.
const maxPublic = 600

// What a provider's words may hold that is about our account or its machines, not about the tenant's request.
var (
	linkPattern    = regexp.MustCompile(`(?i)\b(?:https?|wss?)://[^\s"'<>)]+`)
	addressPattern = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b`)
	secretPattern  = regexp.MustCompile(`(?i)\b(?:bearer\s+[\w.\-*]+|(?:sk|pk|rk|org|proj|key|token|acct)[-_][\w\-*]{6,})`)
	tagPattern     = regexp.MustCompile(`(?i)<(?:!doctype|html|head|body|script|title|center|h1|p|br|pre)\b`)
)

// Public is the provider's message as a tenant may read it: one paragraph of bounded length without addresses, account names, keys or markup. It is empty when
// nothing presentable is left; the caller then uses words of its own.
func (e *Error) Public() string {
	s := e.Message
	if tagPattern.MatchString(s) {
		return ""
	}
	s = linkPattern.ReplaceAllString(s, "[link]")
	s = addressPattern.ReplaceAllString(s, "[address]")
	s = secretPattern.ReplaceAllString(s, "[hidden]")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxPublic {
		s = string(r[:maxPublic]) + "…"
	}
	return s
}
