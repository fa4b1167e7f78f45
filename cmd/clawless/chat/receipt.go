package chat

import (
	"fmt"
	"strings"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/tui/kit"
)

// told writes a receipt in a few lines: who answered and why, what it took and cost, and what was tried.
func told(r *sdk.Receipt) []string {
	lines := []string{"answered by " + r.Model + ": " + why(r), strings.Join(bill(r), "; ")}
	if len(r.Attempts) > 0 {
		tried := make([]string, len(r.Attempts))
		for i, a := range r.Attempts {
			tried[i] = attempt(a)
		}
		lines = append(lines, "attempts: "+strings.Join(tried, ", "))
	}
	for i, line := range lines {
		lines[i] = cli.Clean(line)
	}
	return lines
}

// why says in words what led to the model.
func why(r *sdk.Receipt) string {
	route := r.Route
	switch {
	case r.Cache != "":
		return "from the cache (" + r.Cache + ")"
	case route == nil:
		return "the server does not say why"
	}
	switch route.Reason {
	case "explicit":
		if r.Asked == defaultModel {
			return "the default of the session or the tenant"
		}
		return "as asked"
	case "score":
		return "score " + scores(route)
	case "sticky":
		return "the session stays with the model of its last turn"
	case "gate":
		return "no other candidate passes the gates"
	case "default":
		return "nothing told the candidates apart, so the default"
	case "fallback":
		return "fallback after " + failures(r)
	case "escalation":
		return "escalated after " + failures(r)
	}
	return route.Reason
}

// scores compares the score with the threshold, in as many digits as it takes to see which one is higher.
func scores(route *sdk.Route) string {
	if route.Score == nil || route.Threshold == nil {
		return "unknown"
	}
	score, threshold := *route.Score, *route.Threshold
	word := "under"
	switch {
	case score > threshold:
		word = "over"
	case score == threshold:
		word = "at"
	}
	digits := 2
	for digits < 6 && score != threshold && fmt.Sprintf("%.*f", digits, score) == fmt.Sprintf("%.*f", digits, threshold) {
		digits++
	}
	return fmt.Sprintf("%.*f %s the threshold %.*f", digits, score, word, digits, threshold)
}

// failures are the attempts before the answer with what went wrong; those of one model and one outcome count as one.
func failures(r *sdk.Receipt) string {
	var all []string
	for _, a := range r.Attempts {
		if a.Outcome == "ok" {
			continue
		}
		if text := a.Model + ": " + a.Outcome; len(all) == 0 || all[len(all)-1] != text {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return "another model"
	}
	return strings.Join(all, ", ")
}

// bill is what the answer took, what it cost, and what it would have cost elsewhere.
func bill(r *sdk.Receipt) (parts []string) {
	if t := r.Tokens; t != nil {
		in, out := "", ""
		if t.Cached > 0 {
			in = fmt.Sprintf(" (%d cached)", t.Cached)
		}
		if t.Thinking > 0 {
			out = fmt.Sprintf(" (%d thinking)", t.Thinking)
		}
		parts = append(parts, fmt.Sprintf("tokens: %d in%s, %d out%s", t.Input, in, t.Output, out))
	}
	switch c := cost(r); {
	case c.Unknown:
		parts = append(parts, "unknown price")
	default:
		parts = append(parts, "cost "+c.String())
	}
	if r.Route != nil {
		for _, c := range r.Route.Candidates {
			if c.Model != r.Model {
				parts = append(parts, candidate(c))
			}
		}
	}
	if r.Thinking != "" {
		parts = append(parts, "thinking "+r.Thinking+" (set by the "+r.ThinkingFrom+")")
	}
	return parts
}

func candidate(c sdk.RouteCandidate) string {
	switch {
	case c.Skipped != "" && c.CostMicros != nil:
		return fmt.Sprintf("%s (%s) would have cost %s", c.Model, c.Skipped, kit.Dollars(*c.CostMicros))
	case c.Skipped != "":
		return fmt.Sprintf("%s left out (%s)", c.Model, c.Skipped)
	case c.CostMicros != nil:
		return fmt.Sprintf("%s would have cost %s", c.Model, kit.Dollars(*c.CostMicros))
	}
	return c.Model + " has no known price"
}

func attempt(a sdk.Attempt) string {
	if a.Outcome == "cooling" || a.Outcome == "unsupported" {
		return a.Model + " passed over (" + a.Outcome + ")"
	}
	key := ""
	if a.Key > 1 {
		key = fmt.Sprintf(" with key %d", a.Key)
	}
	return fmt.Sprintf("%s %s%s %d ms", a.Model, a.Outcome, key, a.Ms)
}

// cost is the receipt's cost as the terminal chat adds it up; a nil receipt tells none.
func cost(r *sdk.Receipt) kit.Cost {
	switch {
	case r == nil:
		return kit.Cost{}
	case r.CostMicros == nil:
		return kit.Cost{Told: true, Unknown: true}
	}
	return kit.Cost{Told: true, Micros: *r.CostMicros}
}

// printReceipt says on Err where the answer came from and what it cost.
func printReceipt(env *cli.Env, r *sdk.Receipt) error {
	lines := []string{"the server gave no receipt"}
	if r != nil {
		lines = told(r)
	}
	if _, err := fmt.Fprintln(env.Err, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
