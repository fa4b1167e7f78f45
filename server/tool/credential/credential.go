// Package credential says how a tenant's tool proves itself to its endpoint, and sends the secret to that host alone.
package credential

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Kind is a way to send a secret.
type Kind string

// The kinds.
const (
	None   Kind = "none"
	Bearer Kind = "bearer" // Authorization: Bearer SECRET
	Header Kind = "header" // NAME: SECRET
	Query  Kind = "query"  // ?NAME=SECRET
	Basic  Kind = "basic"  // Authorization: Basic, of a secret that is name:password
)

// Credential is a secret and how it is sent.
type Credential struct {
	Kind   Kind
	Name   string // of the header or the parameter
	Secret string
}

// Check says what is wrong with a credential: the field (auth, auth_name or secret) and a message that holds nothing of the secret. Both are empty for a good one.
func (c Credential) Check() (field, message string) {
	switch c.Kind {
	case None:
		if c.Secret != "" {
			return "auth", "must say how the secret is sent: bearer, header, query or basic"
		}
	case Bearer, Header, Query, Basic:
		if c.Secret == "" {
			return "secret", "is needed for this kind of auth"
		}
	default:
		return "auth", "must be none, bearer, header, query or basic"
	}
	named := c.Kind == Header || c.Kind == Query
	switch {
	case named && c.Name == "":
		return "auth_name", "must name the header or the query parameter"
	case !named && c.Name != "":
		return "auth_name", "is for header and query alone"
	case c.Kind == Header && (!httpguts.ValidHeaderFieldName(c.Name) || reserved[textproto.CanonicalMIMEHeaderKey(c.Name)]):
		return "auth_name", "must be the name of a header that may carry a secret, such as X-Api-Key"
	case c.Kind == Query && url.QueryEscape(c.Name) != c.Name:
		return "auth_name", "must be letters, digits, hyphens or underscores"
	case c.Kind == Basic && !strings.Contains(c.Secret, ":"):
		return "secret", "must be name:password for basic"
	case !httpguts.ValidHeaderFieldValue(c.Secret):
		return "secret", "must not hold line breaks or control characters"
	}
	return "", ""
}

// reserved are headers that frame a request or say where it goes.
var reserved = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Te": true, "Trailer": true, "Upgrade": true,
	"Content-Type": true, "Accept": true, "Accept-Encoding": true, "Idempotency-Key": true, "User-Agent": true, "Proxy-Authorization": true, "Keep-Alive": true,
	"Expect": true, "Content-Encoding": true, "Mcp-Session-Id": true, "Mcp-Protocol-Version": true, "Last-Event-Id": true}

// Shown is what may be seen of the secret afterwards: its last four characters where enough others remain, else nothing.
func (c Credential) Shown() string {
	if len(c.Secret) < 16 {
		return ""
	}
	return c.Secret[len(c.Secret)-4:]
}

// put adds the secret to a request that is the caller's own.
func (c Credential) put(r *http.Request) {
	switch c.Kind {
	case Bearer:
		r.Header.Set("Authorization", "Bearer "+c.Secret)
	case Header:
		r.Header.Set(c.Name, c.Secret)
	case Basic:
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.Secret)))
	case Query:
		pair := url.QueryEscape(c.Name) + "=" + url.QueryEscape(c.Secret)
		if r.URL.RawQuery != "" {
			pair = "&" + pair
		}
		r.URL.RawQuery += pair
	case None:
	}
}

// Scrub takes the secret out of a text, in the forms in which an endpoint may repeat it.
func (c Credential) Scrub(text string) string {
	if len(c.Secret) < 4 {
		return text // so short a one would blot out half of any text, and is no secret
	}
	forms := []string{c.Secret, url.QueryEscape(c.Secret), url.PathEscape(c.Secret)}
	if c.Kind == Basic {
		_, password, _ := strings.Cut(c.Secret, ":")
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(c.Secret)))
		if len(password) >= 4 {
			forms = append(forms, password)
		}
	}
	for _, f := range forms {
		if quoted, err := json.Marshal(f); err == nil {
			text = strings.ReplaceAll(text, string(quoted[1:len(quoted)-1]), "[secret]")
		}
		text = strings.ReplaceAll(text, f, "[secret]")
	}
	return text
}

// String keeps a credential from showing its secret.
func (c Credential) String() string { return fmt.Sprintf("%s credential", c.Kind) }

// GoString keeps %#v from showing the secret.
func (c Credential) GoString() string { return c.String() }
