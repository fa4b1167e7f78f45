package chat

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/answer"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/tui/kit"
)

// TestReceiptInWords reads receipts as the server sends them.
func TestReceiptInWords(t *testing.T) {
	for name, c := range map[string]struct{ receipt, want string }{
		"score": {`{"model":"m/a","asked":"auto","route":{"reason":"score","score":0.3077,"threshold":0.3401,"candidates":[{"model":"m/a","cost_micros":3},{"model":"m/b","cost_micros":59},{"model":"m/c","skipped":"tier","cost_micros":7}]},
			"attempts":[{"model":"m/a","outcome":"ok","key":1,"ms":43}],"tokens":{"input":1100,"output":12,"cached":1000,"thinking":4},"cost_micros":3,"price_version":"v"}`,
			"answered by m/a: score 0.31 under the threshold 0.34\ntokens: 1100 in (1000 cached), 12 out (4 thinking); cost $0.000003; m/b would have cost $0.000059; m/c (tier) would have cost $0.000007\nattempts: m/a ok 43 ms"},
		"close score": {`{"model":"m/a","route":{"reason":"score","score":0.33402,"threshold":0.33401},"cost_micros":0}`, "answered by m/a: score 0.33402 over the threshold 0.33401\ncost $0"},
		"same score":  {`{"model":"m/a","route":{"reason":"score","score":0.5,"threshold":0.5},"cost_micros":1500000}`, "answered by m/a: score 0.50 at the threshold 0.50\ncost $1.50"},
		"fallback": {`{"model":"m/b","asked":"m/a","route":{"reason":"fallback","candidates":[{"model":"m/a"},{"model":"m/b","cost_micros":1},{"model":"m/c","skipped":"unknown_model"}]},
			"attempts":[{"model":"m/a","outcome":"server","key":1,"ms":9},{"model":"m/a","outcome":"server","key":2,"ms":8},{"model":"m/x","outcome":"cooling","ms":0},{"model":"m/b","outcome":"ok","ms":15}],"tokens":{"input":4,"output":4},"cost_micros":1}`,
			"answered by m/b: fallback after m/a: server, m/x: cooling\ntokens: 4 in, 4 out; cost $0.000001; m/a has no known price; m/c left out (unknown_model)\nattempts: m/a server 9 ms, m/a server with key 2 8 ms, m/x passed over (cooling), m/b ok 15 ms"},
		"escalation": {`{"model":"m/b","asked":"auto","route":{"reason":"escalation"},"attempts":[{"model":"m/a","outcome":"empty_answer","ms":3},{"model":"m/b","outcome":"ok","ms":5}],"cost_micros":9}`,
			"answered by m/b: escalated after m/a: empty_answer\ncost $0.000009\nattempts: m/a empty_answer 3 ms, m/b ok 5 ms"},
		"no price": {`{"model":"m/a","asked":"m/a","route":{"reason":"explicit"},"price_unknown":true,"thinking":"high","thinking_from":"session"}`, "answered by m/a: as asked\nunknown price; thinking high (set by the session)"},
		"cache":    {`{"model":"m/a","asked":"m/a","route":{"reason":"explicit"},"cost_micros":0,"cache":"hit"}`, "answered by m/a: from the cache (hit)\ncost $0"},
		"default":  {`{"model":"m/a","asked":"default","route":{"reason":"explicit"},"cost_micros":0}`, "answered by m/a: the default of the session or the tenant\ncost $0"},
		"sticky":   {`{"model":"m/a","asked":"auto","route":{"reason":"sticky"},"cost_micros":0}`, "answered by m/a: the session stays with the model of its last turn\ncost $0"},
		"gate":     {`{"model":"m/a","asked":"auto","route":{"reason":"gate"},"cost_micros":0}`, "answered by m/a: no other candidate passes the gates\ncost $0"},
		"evil":     {`{"model":"m/\u001b[2Ja","route":{"reason":"later"},"cost_micros":0}`, "answered by m/�[2Ja: later\ncost $0"},
	} {
		t.Run(name, func(t *testing.T) {
			var r sdk.Receipt
			if err := json.Unmarshal([]byte(c.receipt), &r); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(told(&r), "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// run prints events with the terminal's streams as they are given.
func run(t *testing.T, format show.Format, isTTY, thoughts bool, all ...client.Event) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	tty := func() bool { return isTTY }
	env := &cli.Env{Out: &o, Err: &e, OutTTY: tty, ErrTTY: tty, Width: func() int { return 80 }, LookupEnv: func(string) (string, bool) { return "", false }, Flags: cli.Globals{Output: format}}
	p := answer.Printer{Env: env, Thoughts: thoughts}
	err := p.Print(func(yield func(client.Event, error) bool) {
		for _, ev := range all {
			if !yield(ev, nil) {
				return
			}
		}
	})
	if err == nil {
		err = printReceipt(env, p.Receipt())
	}
	if err != nil {
		t.Fatal(err)
	}
	return o.String(), e.String()
}

func TestThoughtsStandApart(t *testing.T) {
	events := []client.Event{client.Started{Model: "m/a"}, client.ReasoningDelta{Text: "Let me "}, client.ReasoningDelta{Text: "see\x1b."}, client.TextDelta{Text: "Yes."}, client.Finish{Reason: "stop"}, client.Usage{}}
	out, err := run(t, show.Table, false, true, events...)
	if out != "Yes.\n" || err != "Let me see\x1b.\nthe server gave no receipt\n" {
		t.Errorf("in a pipe: %q and %q", out, err)
	}
	out, err = run(t, show.Table, true, true, events...)
	if out != "Yes.\n" || err != "\x1b[2mLet me \x1b[22m\x1b[2msee�.\x1b[22m\nthe server gave no receipt\n" {
		t.Errorf("on a terminal: %q and %q", out, err)
	}
	if _, err = run(t, show.Table, true, false, events...); strings.Contains(err, "Let me") {
		t.Errorf("nobody asked for thoughts: %q", err)
	}
}

func TestEventsOfTheTerminalChat(t *testing.T) {
	micros := int64(7)
	end := client.Finish{Model: "m/b", Receipt: &sdk.Receipt{Model: "m/b", CostMicros: &micros}}
	e, ok := event(client.Usage{Input: 3, Output: 4}, "ses_1", end)
	if !ok || e.Kind != kit.Done || e.Model != "m/b" || e.Cost != (kit.Cost{Told: true, Micros: 7}) || len(e.Receipt) != 2 {
		t.Errorf("%+v", e)
	}
	if e, _ = event(client.Usage{}, "ses_1", client.Finish{Receipt: &sdk.Receipt{PriceUnknown: true}}); e.Cost.String() != "price unknown" {
		t.Errorf("without a price: %+v", e.Cost)
	}
	if e, _ = event(client.Usage{}, "ses_1", client.Finish{}); e.Cost.Told || e.Receipt != nil {
		t.Errorf("without a receipt: %+v", e)
	}
}
