package tool

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"regexp"
	"strings"
)

// Redacted stands where a credential was.
const Redacted = "[redacted]"

// shapes are the forms of credentials that a text is searched for. The first group, where there is one, stays.
var shapes = []*regexp.Regexp{
	regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`),
	regexp.MustCompile(`\bclw_[A-Za-z0-9_-]{6,}`),
	regexp.MustCompile(`\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{12,}`),                          // OpenAI, Anthropic, Stripe and those after them
	regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,})`), // GitHub
	regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{16,}`),                                    // GitLab
	regexp.MustCompile(`\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}`),                        // AWS
	regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{30,}`),                                      // Google
	regexp.MustCompile(`\bya29\.[A-Za-z0-9_-]{16,}`),
	regexp.MustCompile(`\bxox[a-z]-[A-Za-z0-9-]{10,}`),                                 // Slack
	regexp.MustCompile(`\b(?:hf|npm|dop_v1|shpat|sq0csp|gsk|xai|r8)_[A-Za-z0-9]{16,}`), // further vendors
	regexp.MustCompile(`\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`),
	regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,3}`), // JSON web tokens
	regexp.MustCompile(`(?i)\b((?:bearer|basic|digest|negotiate|apikey)\s+)[A-Za-z0-9._~+/=-]{8,}`),
	regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#@:]*:[^\s/?#@]+@`), // name and password in an address
	regexp.MustCompile(`(?i)((?:` + secretWords + `)["']?\s*[=:]\s*["']?)(?:\[redacted\]|[^\s"'&,;}\])]{4,})`),
}

const secretWords = `passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|client[_-]?secret|authorization|credentials?|signature|cookie`

// RedactText replaces what looks like a credential in a text. It errs on the side of taking out too much.
func RedactText(s string) string {
	for _, shape := range shapes {
		with := Redacted
		if shape.NumSubexp() > 0 {
			with = "${1}" + Redacted
		}
		s = shape.ReplaceAllString(s, with)
	}
	return s
}

// keyWords are the names under which secrets are kept, without the signs between words.
var keyWords = regexp.MustCompile(`passw(or)?d|passphrase|passcode|^pwd$|^pass$|^pin$|^otp$|^cvv$|^cvc$|secret|token$|^token|apikey|accesskey|privatekey|signingkey|encryptionkey|sharedkey|credential|authorization|^auth$|authheader|cookie|^sid$|^jwt$|bearer|signature|^sig$|^sas$`)

// notSecret are names that keyWords takes for one.
var notSecret = regexp.MustCompile(`^(max|min|num|total|input|output|prompt|completion|count)?tokens$|tokencount|^tokenlimit$|^tokenize`)

// isSecretName reports whether what stands under a name is kept from records.
func isSecretName(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	return keyWords.MatchString(plain) && !notSecret.MatchString(plain)
}

// Redact takes credentials out of JSON: what stands under names such as password and token, and values that look like keys. Fields keep their order. What is no JSON
// becomes a JSON string without them.
func Redact(raw json.RawMessage) json.RawMessage {
	if len(bytes.TrimSpace(raw)) == 0 {
		return raw
	}
	var out bytes.Buffer
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if json.Valid(raw) && redactValue(d, &out, false) == nil {
		return out.Bytes()
	}
	return quote(RedactText(Clean(string(raw))))
}

// redactValue copies the next value. Under a secret's name nothing of it stays but its kind.
func redactValue(d *json.Decoder, out *bytes.Buffer, secret bool) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return redactInside(d, out, t, secret)
	case string:
		if secret && t != "" {
			t = Redacted
		}
		out.Write(quote(RedactText(t)))
	case json.Number:
		if secret {
			out.Write(quote(Redacted))
			return nil
		}
		out.WriteString(t.String())
	case bool:
		if t {
			out.WriteString("true")
		} else {
			out.WriteString("false")
		}
	default:
		out.WriteString("null")
	}
	return nil
}

func redactInside(d *json.Decoder, out *bytes.Buffer, open json.Delim, secret bool) error {
	out.WriteByte(byte(open))
	for i := 0; d.More(); i++ {
		if i > 0 {
			out.WriteByte(',')
		}
		under := secret
		if open == '{' {
			t, err := d.Token()
			if err != nil {
				return err
			}
			name, ok := t.(string)
			if !ok {
				return io.ErrUnexpectedEOF
			}
			under = under || isSecretName(name)
			out.Write(quote(RedactText(name)))
			out.WriteByte(':')
		}
		if err := redactValue(d, out, under); err != nil {
			return err
		}
	}
	t, err := d.Token()
	if end, ok := t.(json.Delim); ok {
		out.WriteByte(byte(end))
	}
	return err
}

func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return []byte(`""`) // a string is always encoded
	}
	return bytes.TrimSpace(b.Bytes())
}

// inQuery are the names that hold a secret in a query and mostly none elsewhere.
var inQuery = regexp.MustCompile(`(?i)^(key|code|state|auth|x-(amz|goog)-.*)$`)

// RedactURL takes the name and password out of a URL, the values of its query that are or look like credentials, and its fragment. What is no URL becomes "".
func RedactURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	var query []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") { // by hand, so that the others stay as they are
		name, value, has := strings.Cut(pair, "=")
		clear, err := url.QueryUnescape(name)
		plain, errValue := url.QueryUnescape(value)
		if has && (err != nil || errValue != nil || isSecretName(clear) || inQuery.MatchString(clear) || RedactText(plain) != plain) {
			pair = name + "=" + url.QueryEscape(Redacted)
		}
		if pair != "" {
			query = append(query, pair)
		}
	}
	u.RawQuery, u.ForceQuery = "", false
	out := RedactText(u.String())
	if len(query) > 0 {
		out += "?" + strings.Join(query, "&")
	}
	return out
}
