package server

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/clawless/clawless/server/config"
)

const (
	labWeak, labStrong = "lab/weak", "lab/strong"

	labPrices = `{"pairs":{"lab":{"weak":"weak","strong":"strong"}},"models":{
		"lab/weak":{"class":"small","context_window":8000,"input":1000000,"output":2000000,"cache_read":100000,"tools":true,"json_schema":true},
		"lab/strong":{"class":"large","context_window":64000,"input":10000000,"output":20000000,"tools":true,"json_schema":true}}}`
)

// priced makes a pair of the upstream's models that have prices.
func priced(t *testing.T) func(c *config.Settings) {
	file := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(file, []byte(labPrices), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *config.Settings) {
		hasty(c)
		c.PricesFile, c.StrongShare, c.AutoWeak, c.AutoStrong = file, 0, "", ""
	}
}

// TestOperatorsPrices: the operator's file makes the pair behind auto and its prices; the receipt, the ledger and what the others would have cost follow from it to the micro-dollar.
func TestOperatorsPrices(t *testing.T) {
	each(t, priced(t), func(t *testing.T, r *rig) {
		r.up.on("weak", talk("", []string{"It ", "is."}, nil, "stop")) // 40 tokens, 16 of them cached, and 20
		for _, mode := range modes {
			c := r.tenant("cached-"+mode, nil)
			o := r.try(mode, c, ask("auto", easy, nil))
			if o.route() != labWeak+" score" || *o.receipt.CostMicros != 24+40+2 || o.receipt.Tokens.Cached != 16 || !strings.Contains(o.receipt.PriceVersion, "+") {
				t.Fatalf("%s: %d %s", mode, o.status, o.body)
			}
			if got := o.receipt.Route.Candidates; len(got) != 2 || *got[0].CostMicros != 66 || *got[1].CostMicros < 24*10+20*20 || *got[1].CostMicros > 40*10+20*20 {
				t.Errorf("%s: candidates %+v", mode, got)
			}
			if got := r.ledger(c); len(got) != 1 || got[0].Micros != 66 || got[0].Prices != o.receipt.PriceVersion {
				t.Errorf("%s: ledger %+v", mode, got)
			}
		}
	})
}

// TestAutoWhenModelsFail: auto goes on with the other model where one fails before its first token, never after it, and an answer that was thrown away is paid for even when the second one fails.
func TestAutoWhenModelsFail(t *testing.T) {
	for name, f := range map[string]struct {
		weak, strong func(*upcall)
		route        string
		said, code   string
		lines        string // of the ledger, as model:outcome:micros
	}{
		"weak is overloaded": {status(529), fine, labStrong + " fallback", "fine", "", "lab/strong:completed:70"},
		"weak hangs":         {hang, fine, labStrong + " fallback", "fine", "", "lab/strong:completed:70"},
		"weak says nothing":  {answer(), fine, labStrong + " escalation", "fine", "", "lab/weak:discarded:3 lab/strong:completed:70"},
		"both say nothing":   {answer(), answer(), labStrong + " escalation", "", "", "lab/weak:discarded:3 lab/strong:completed:30"},
		"then strong fails":  {answer(), status(400), "", "", "invalid_request", "lab/weak:discarded:3"},
		"both fail":          {status(529), status(503), "", "", "provider_overloaded", ""},
		"weak breaks off":    {func(c *upcall) { c.text("some "); panic(http.ErrAbortHandler) }, fine, "", "some ", "stream_broken", "lab/weak:failed:"},
	} {
		t.Run(name, func(t *testing.T) {
			r := lite(t, priced(t))
			r.up.on("weak", f.weak)
			r.up.on("strong", f.strong)
			for _, mode := range modes {
				if name == "weak breaks off" && mode == "whole" {
					continue // one piece does not break off
				}
				c := r.tenant(mode, nil)
				o := r.try(mode, c, ask("auto", easy, nil))
				if o.said != f.said || f.route != "" && o.route() != f.route || f.code != "" && (o.failed == nil || o.failed.Code != f.code) {
					t.Errorf("%s: %d %s", mode, o.status, o.body)
				}
				var lines []string
				var sum int64
				for _, l := range r.ledger(c) {
					lines, sum = append(lines, l.Model+":"+l.Outcome+":"+fmt.Sprint(l.Micros)), sum+l.Micros
				}
				got := strings.Join(lines, " ")
				if partly := f.said == "some " && strings.HasPrefix(got, f.lines); got != f.lines && !partly {
					t.Errorf("%s: ledger %s", mode, got)
				}
				if f.route != "" && *o.receipt.CostMicros != sum {
					t.Errorf("%s: the receipt says %d, the ledger %d", mode, *o.receipt.CostMicros, sum)
				}
				var kept int64
				for _, d := range r.decisions(c) {
					kept += d.Micros
				}
				if kept != sum {
					t.Errorf("%s: decisions %+v, ledger %s", mode, r.decisions(c), lines)
				}
				r.nothingHeld(c)
			}
		})
	}
}

// TestAutoAroundACircuit: a model whose circuit is open is not chosen, and the receipt says why.
func TestAutoAroundACircuit(t *testing.T) {
	r := lite(t, priced(t))
	r.up.on("weak", status(500))
	r.up.on("strong", fine)
	c := r.tenant("acme", nil)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if o := r.try("whole", c, ask("auto", easy, nil)); o.route() != labStrong+" fallback" && o.skipped(labWeak) != "cooling" {
				t.Errorf("%d %s", o.status, o.body)
			}
		})
	}
	wg.Wait()
	before := len(r.up.calls("weak"))
	for _, mode := range modes {
		if o := r.try(mode, c, ask("auto", easy, nil)); o.route() != labStrong+" gate" || o.skipped(labWeak) != "cooling" {
			t.Errorf("%s: %d %s", mode, o.status, o.body)
		}
	}
	if n := len(r.up.calls("weak")); n != before {
		t.Errorf("%d calls of a model whose circuit is open", n-before)
	}
}
