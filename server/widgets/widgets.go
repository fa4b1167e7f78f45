// Package widgets lets a tenant's web pages talk to its assistant: a publishable key bound to origins, exchanged for a short visitor token.
package widgets

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// Widget is one embedding of a tenant's assistant.
type Widget struct {
	ID        string
	TenantID  string
	Name      string
	KeyLast4  string
	Origins   []string // scheme://host[:port], or scheme://*.host for one label below it
	Settings  Settings
	Status    string // Active or Disabled
	CreatedAt db.Time
}

// The states of a widget.
const (
	Active   = "active"
	Disabled = "disabled"
)

// Settings are what a widget shows. Empty fields take the widget's own texts and colours.
type Settings struct {
	Title       string `json:"title,omitempty" maxLength:"80" doc:"The panel's heading"`
	Greeting    string `json:"greeting,omitempty" maxLength:"500" doc:"Shown before the first message"`
	Placeholder string `json:"placeholder,omitempty" maxLength:"120" doc:"In the empty input"`
	Color       string `json:"color,omitempty" pattern:"^#[0-9a-fA-F]{6}$" patternDescription:"a colour as #rrggbb" doc:"The brand colour"`
	Position    string `json:"position,omitempty" enum:"right,left" doc:"Which corner"`
	Theme       string `json:"theme,omitempty" enum:"auto,light,dark"`
}

// Visitor is an end user of a widget, known by a secret that only their browser has.
type Visitor struct {
	ID       string
	TenantID string
	WidgetID string
}

var (
	labelPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	hostPattern  = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// checkOrigins accepts exact origins and one-label wildcards. Plain http is for loopback only: elsewhere anybody on the way could be the page.
func checkOrigins(origins []string) error {
	var bad []fault.Detail
	for i, o := range origins {
		if err := checkOrigin(o); err != nil {
			bad = append(bad, fault.Detail{Field: fmt.Sprintf("origins[%d]", i), Message: err.Error()})
		}
	}
	if len(bad) == 0 {
		return nil
	}
	f := fault.New(fault.ValidationFailed, "%s: %s", bad[0].Field, bad[0].Message).WithParam(bad[0].Field)
	f.Details = bad
	return f
}

func checkOrigin(o string) error {
	u, err := url.Parse(o)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || o != strings.ToLower(o) {
		return fmt.Errorf("must be an origin in lower case without a path, such as https://shop.example.com")
	}
	host := u.Hostname()
	loopback := host == "localhost" || host == "127.0.0.1" || u.Host == "[::1]" || strings.HasPrefix(u.Host, "[::1]:")
	switch {
	case u.Scheme == "http" && !loopback:
		return fmt.Errorf("must be https; http is for localhost only")
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("must begin with https://")
	case strings.HasSuffix(u.Host, ":") || u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		return fmt.Errorf("must leave out the port that goes without saying, as browsers do")
	case !loopback && (!hostPattern.MatchString(host) || strings.Count(host, "*") > 0 && strings.Count(host, ".") < 2):
		return fmt.Errorf("must name a host, or *.host for the names one label below it")
	}
	return nil
}

// Allows reports whether a page of the origin may use the widget. A missing or null origin never may.
func (w Widget) Allows(origin string) bool {
	if origin == "" || origin == "null" || strings.Contains(origin, "*") {
		return false
	}
	for _, o := range w.Origins {
		if o == "*" || o == origin || matchesWildcard(o, origin) { // * comes from the operator's settings only
			return true
		}
	}
	return false
}

func matchesWildcard(pattern, origin string) bool {
	scheme, host, ok := strings.Cut(pattern, "://*.")
	if !ok {
		return false
	}
	rest, ok := strings.CutPrefix(origin, scheme+"://")
	if !ok {
		return false
	}
	label, tail, ok := strings.Cut(rest, ".")
	return ok && tail == host && labelPattern.MatchString(label)
}
