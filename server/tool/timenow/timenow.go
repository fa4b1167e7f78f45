// Package timenow is the built-in tool time_now: the date, the time and the weekday, anywhere.
package timenow

import (
	"context"
	_ "embed" // the description
	"encoding/json"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the zones, for machines and images that have none; read when the first zone is asked for

	"github.com/clawless/clawless/server/tool"
)

//go:embed timenow.md
var description string

const parameters = `{"type":"object","additionalProperties":false,"properties":{
	"zone":{"type":"string","maxLength":64,"description":"IANA time zone, such as Asia/Tokyo; UTC when left out"}}}`

// Tool is the tool.
type Tool struct{ now func() time.Time }

// New returns the tool on a clock, which is time.Now outside tests.
func New(now func() time.Time) *Tool { return &Tool{now: now} }

// Spec implements tool.Tool.
func (*Tool) Spec() tool.Spec {
	return tool.Spec{Name: "time_now", Description: strings.TrimSpace(description), Parameters: json.RawMessage(parameters), Effect: tool.Reads, Source: tool.BuiltIn,
		Timeout: 5 * time.Second, MaxResult: 1 << 10}
}

// Call implements tool.Tool.
func (t *Tool) Call(_ context.Context, c tool.Call) (tool.Result, error) {
	var in struct {
		Zone string `json:"zone"`
	}
	if err := json.Unmarshal(c.Arguments, &in); err != nil {
		return tool.Result{}, fmt.Errorf("the arguments cannot be read: %w", err)
	}
	zone, err := load(in.Zone)
	if err != nil {
		return tool.Result{}, err
	}
	now := t.now().In(zone).Truncate(time.Second)
	name, offset := now.Zone()
	_, week := now.ISOWeek()
	text := fmt.Sprintf("%s\n%s, %s (%s)\nweek %d, day %d of the year", now.Format(time.RFC3339), now.Format("Monday, 2 January 2006, 15:04:05"), zone, offsetOf(offset), week, now.YearDay())
	if name != "" && name != zone.String() && !strings.ContainsAny(name, "+-") {
		text += "\nabbreviation " + name
	}
	return tool.Result{Text: text}, nil
}

func offsetOf(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	return fmt.Sprintf("UTC%c%02d:%02d", sign, seconds/3600, seconds%3600/60)
}

// load finds a zone. The server's own is nobody's business.
func load(name string) (*time.Location, error) {
	name = strings.TrimSpace(name)
	switch strings.ToUpper(name) {
	case "", "UTC", "Z":
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("zone: there is no time zone %q; give an IANA name such as Europe/Berlin, or leave it out for UTC", tool.Trim(name, 100))
	}
	return zone, nil
}
