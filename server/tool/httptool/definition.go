// Package httptool runs a tenant's HTTP endpoint as a tool: arguments in, one bounded request to one host, its answer as text out.
package httptool

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
)

// Definition is an endpoint that a tenant made a tool of.
type Definition struct {
	Name        string
	Description string
	Parameters  json.RawMessage // a JSON schema of an object
	Effect      tool.Effect
	Method      string
	URL         string // with {placeholders} in the path
	Timeout     time.Duration
	MaxBytes    int // of the result that the model gets
}

// Methods are those that an endpoint may have.
var Methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// inQuery says where the arguments go that are not in the path.
func (d Definition) inQuery() bool {
	return d.Method == http.MethodGet || d.Method == http.MethodDelete
}

// Host is where requests of the definition go, as credential.HostPort says it; empty when the URL is none.
func (d Definition) Host() string {
	a, err := parseAddress(d.URL)
	if err != nil {
		return ""
	}
	return a.host
}

// Check says what is wrong with the definition's method, its URL, and what of the schema the URL needs: the field and a message. Both are empty for a good one.
// private says which addresses of private networks may be reached; plain http is for them alone.
func (d Definition) Check(private func(netip.Addr) bool, c credential.Credential) (field, message string) {
	if !slices.Contains(Methods, d.Method) {
		return "method", "must be GET, POST, PUT, PATCH or DELETE"
	}
	a, err := parseAddress(d.URL)
	if err != nil {
		return "url", err.Error()
	}
	if err := credential.CheckScheme(a.scheme, a.hostname, private); err != nil {
		return "url", err.Error()
	}
	schema, err := readSchema(d.Parameters)
	if err != nil {
		return "parameters", err.Error()
	}
	for _, name := range a.names() {
		if !slices.Contains(schema.Required, name) {
			return "parameters", fmt.Sprintf("must have %s among the required ones, because the URL needs it", name)
		}
		switch p := schema.Properties[name]; p.kind() {
		case "string", "integer", "number", "boolean":
		default:
			return "parameters", fmt.Sprintf("must say that %s is a string, a number or a boolean, because it stands in the URL", name)
		}
	}
	if d.inQuery() {
		for name := range schema.Properties {
			if a.query.Has(name) || c.Kind == credential.Query && c.Name == name {
				return "parameters", fmt.Sprintf("must not have %s, which the URL or the secret has in the query already", name)
			}
		}
	}
	if c.Kind == credential.Query && a.query.Has(c.Name) {
		return "auth_name", "is in the URL's query already"
	}
	return "", ""
}

// schema is what the URL asks of the arguments' schema.
type schema struct {
	Type       string              `json:"type"`
	Properties map[string]property `json:"properties"`
	Required   []string            `json:"required"`
}

type property struct{ raw json.RawMessage }

// UnmarshalJSON keeps a property as it is: it may be an object, or true.
func (p *property) UnmarshalJSON(b []byte) error {
	p.raw = append(p.raw[:0], b...)
	return nil
}

// kind is the property's type, or "" when it has none or several.
func (p property) kind() string {
	var v struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(p.raw, &v) // whatever cannot be read has no type
	return v.Type
}

func readSchema(raw json.RawMessage) (schema, error) {
	var s schema
	if err := json.Unmarshal(raw, &s); err != nil || s.Type != "object" {
		return schema{}, fmt.Errorf("must be a JSON schema of an object: {\"type\": \"object\", \"properties\": {...}}")
	}
	return s, nil
}

// address is a URL with placeholders, taken apart.
type address struct {
	scheme, hostname string
	host             string // as credential.HostPort says it
	base             string // scheme and authority
	path             []part // of the escaped path
	query            url.Values
	rawQuery         string
}

// part is a piece of the path: a text as it is, or the name of an argument.
type part struct {
	text     string
	argument bool
}

var placeholder = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_-]*)\}`)

// parseAddress reads a URL template. Placeholders may stand in the path alone: one in the host would let the model choose where the request goes.
func parseAddress(text string) (address, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return address{}, errors.New("must not hold spaces, control characters or backslashes")
	}
	scheme, rest, _ := strings.Cut(text, "://")
	end := strings.IndexAny(rest+"/", "/?#")
	path, query, _ := strings.Cut(rest[end:], "?")
	plain := placeholder.ReplaceAllString(path, "x")
	if strings.ContainsAny(scheme+rest[:end]+query+plain, "{}") {
		return address{}, errors.New("must have its placeholders, such as {id}, in the path alone")
	}
	u, err := url.Parse(scheme + "://" + rest[:end] + plain + "?" + query)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return address{}, errors.New("must be a URL such as https://api.example.com/orders/{id}")
	case u.User != nil:
		return address{}, errors.New("must not hold a name or a password; use auth and secret")
	case strings.Contains(text, "#"):
		return address{}, errors.New("must not have a fragment")
	}
	for segment := range strings.SplitSeq(plain, "/") {
		if clean, err := url.PathUnescape(segment); err != nil || climbs(clean) {
			return address{}, errors.New("must not have . or .. in its path")
		}
	}
	a := address{scheme: u.Scheme, hostname: u.Hostname(), host: credential.HostPort(u), base: u.Scheme + "://" + u.Host, query: u.Query(), rawQuery: u.RawQuery}
	last := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(path, -1) {
		a.path = append(a.path, part{text: path[last:m[0]]}, part{text: path[m[2]:m[3]], argument: true})
		last = m[1]
	}
	a.path = append(a.path, part{text: path[last:]})
	return a, nil
}

// names are the arguments that stand in the path.
func (a address) names() []string {
	var out []string
	for _, p := range a.path {
		if p.argument && !slices.Contains(out, p.text) {
			out = append(out, p.text)
		}
	}
	return out
}
