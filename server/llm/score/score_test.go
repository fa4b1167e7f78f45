package score

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm/score/linear"
)

var update = flag.Bool("update", false, "write the golden scores again")

const goldenFile = "testdata/golden.json"

// golden are fixed requests; the file beside them has their scores to nine digits, which every machine must give.
var golden = []Signals{
	{Text: "hi"},
	{Text: "What is the capital of France?", Messages: 1},
	{Text: "Find all zeros of x^5 + 3x^3 + x^2 + 2x in Z_5.", Messages: 1},
	{Text: "Which is prime?\nA. 4\nB. 6\nC. 7\nD. 8\nAnswer:", Messages: 1},
	{Text: "```go\nfunc f() { for { } }\n```\nWhy does this never return? Explain step by step.", Messages: 5, Tools: 3},
	{Text: "Beschreibe die Bilder für eine Suche.", Messages: 2, Images: 2, Schema: true},
	{Text: strings.Repeat("All parties agree that the lease ended in May. ", 300), Messages: 1},
	{Text: "这是什么意思？请解释一下这个问题。"},
	{Text: ""},
}

type goldenRow struct {
	Failure string `json:"failure"`
	OK      bool   `json:"ok"`
}

func TestScoreGolden(t *testing.T) {
	var got []goldenRow
	for _, s := range golden {
		r := Score(s)
		got = append(got, goldenRow{fmt.Sprintf("%.9f", r.Failure), r.OK})
	}
	if *update {
		b, _ := json.MarshalIndent(got, "", "  ")
		if err := os.WriteFile(goldenFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var want []goldenRow
	readJSON(t, goldenFile, &want)
	if len(want) != len(golden) {
		t.Fatalf("%d golden scores for %d requests; -update writes them", len(want), len(golden))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("request %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestScoreOrdersPairs is a check of good sense on requests as people write them, not a measurement: the pairs were written by hand to be far apart.
func TestScoreOrdersPairs(t *testing.T) {
	var pairs []struct{ Easy, Hard string }
	readJSON(t, "testdata/pairs.json", &pairs)
	ordered, clear := 0, 0
	for _, p := range pairs {
		easy, hard := Score(Signals{Text: p.Easy, Messages: 1}), Score(Signals{Text: p.Hard, Messages: 1})
		if !easy.OK || !hard.OK {
			t.Errorf("no signal: %q %v, %q %v", p.Easy, easy, p.Hard, hard)
		}
		if easy.Failure < hard.Failure {
			ordered++
		} else {
			t.Logf("%.3f is not below %.3f: %q", easy.Failure, hard.Failure, p.Easy)
		}
		if easy.Failure+0.1 < hard.Failure {
			clear++
		}
	}
	t.Logf("%d of %d pairs in the right order, %d by more than 0.1", ordered, len(pairs), clear)
	if len(pairs) < 30 || ordered*100 < len(pairs)*95 || clear*100 < len(pairs)*80 {
		t.Errorf("%d of %d pairs in the right order and %d clearly so", ordered, len(pairs), clear)
	}
}

func TestScoreWithoutSignal(t *testing.T) {
	for _, text := range []string{"", " \n\t", "???", "🙂🙂", "\xff\xfe", "Пожалуйста, объясните мне это", "qzx vvkq wqpf zzkw jqqx"} {
		if r := Score(Signals{Text: text, Messages: 1}); r.OK || !(r.Failure >= 0 && r.Failure <= 1) {
			t.Errorf("%q: %+v, want no signal", text, r)
		}
	}
	for _, text := range []string{"hi", "ok", "2+2", "What is the weather like today?"} {
		if r := Score(Signals{Text: text}); !r.OK {
			t.Errorf("%q has no signal", text)
		}
	}
}

func TestScoreExtraIsANudge(t *testing.T) {
	const text = "What is the capital of France?"
	plain := Score(Signals{Text: text, Messages: 1}).Failure
	before := plain
	for _, s := range []Signals{{Messages: 2}, {Messages: 2, Tools: 1}, {Messages: 2, Tools: 1, Schema: true}, {Messages: 2, Tools: 1, Schema: true, Images: 1}} {
		s.Text = text
		now := Score(s).Failure
		if now <= before {
			t.Errorf("%+v: %.4f, not more than %.4f", s, now, before)
		}
		before = now
	}
	most := Score(Signals{Text: text, Messages: math.MaxInt, Tools: math.MaxInt, Images: math.MaxInt, Schema: true}).Failure
	if odds := math.Log(most/(1-most)) - math.Log(plain/(1-plain)); math.Abs(odds-mostExtra) > 1e-9 {
		t.Errorf("the most that is added is %.4f, want %.4f", odds, mostExtra)
	}
	if r := Score(Signals{Text: text, Messages: -5, Tools: -1, Images: -1}); r.Failure != plain {
		t.Errorf("negative counts change the score to %v", r.Failure)
	}
}

func TestThreshold(t *testing.T) {
	if never, always := Threshold(0), Threshold(1); never <= 1 || always >= 0 {
		t.Errorf("Threshold(0) = %v, Threshold(1) = %v", never, always)
	}
	if Threshold(-1) <= 1 || Threshold(math.NaN()) <= 1 || Threshold(7) >= 0 {
		t.Error("a share outside 0 to 1 is not the nearer end")
	}
	before := Threshold(0.001)
	for share := 0.01; share < 1; share += 0.01 {
		now := Threshold(share)
		if now > before || now < 0 || now > 1 {
			t.Fatalf("Threshold(%.2f) = %v after %v", share, now, before)
		}
		before = now
	}
	if Threshold(0.2)-Threshold(0.8) < 0.05 {
		t.Errorf("the quantiles hardly differ: %v and %v", Threshold(0.2), Threshold(0.8))
	}
}

func TestRecordIsOfTheseWeights(t *testing.T) {
	var record struct {
		Version string
		Sets    []struct{ Routers []struct{ APGR float64 } }
	}
	readJSON(t, "weights.json", &record)
	if record.Version != Version() || len(Version()) != 12 {
		t.Errorf("the record is of the weights %q, these are %q: run make route-eval WRITE=1", record.Version, Version())
	}
	if len(record.Sets) == 0 || record.Sets[0].Routers[0].APGR <= 0.5 {
		t.Error("the record has no APGR above random")
	}
	if len(text) > 1<<20 {
		t.Errorf("the weights have %d bytes, at most 1 MiB", len(text))
	}
}

func TestScoreConcurrently(t *testing.T) {
	want := make([]Result, len(golden))
	for i, s := range golden {
		want[i] = Score(s)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for k := range 200 {
				if i := k % len(golden); Score(golden[i]) != want[i] {
					t.Errorf("request %d has another score beside others", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

// longPrompt is 4 KiB of prose, which is the most that the promise of 0.3 ms is about.
func longPrompt() string {
	var b strings.Builder
	for i := 0; b.Len() < 4096; i++ {
		fmt.Fprintf(&b, "The %dth witness said that clause %d of the agreement, which nobody had read, was never signed in %s's presence. ", i, i*7, string(rune('A'+i%26)))
	}
	return b.String()[:4096]
}

// The promises are 0.3 ms and 50 ms; the tests allow a slow day several times that, of the best of many tries.
func TestScoreWithinBudget(t *testing.T) {
	s := Signals{Text: longPrompt(), Messages: 1}
	Score(s)
	best := time.Hour
	for range 200 {
		start := time.Now()
		Score(s)
		best = min(best, time.Since(start))
	}
	t.Logf("best of 200: %v", best)
	if best > 2*time.Millisecond {
		t.Errorf("4 KiB take %v, the promise is 0.3 ms", best)
	}
	// None, but the race detector makes pools forget at random. One for each word would be some 700.
	if n := testing.AllocsPerRun(100, func() { Score(s) }); n > 20 {
		t.Errorf("%v allocations for a score", n)
	}
}

func TestDecodeWithinBudget(t *testing.T) {
	best := time.Hour
	for range 5 {
		start := time.Now()
		if _, err := linear.Decode(text); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	t.Logf("best of 5: %v", best)
	if best > 200*time.Millisecond {
		t.Errorf("decoding takes %v, the promise is 50 ms", best)
	}
}

func FuzzScore(f *testing.F) {
	for _, s := range golden {
		f.Add(s.Text, s.Messages, s.Tools)
	}
	f.Add(strings.Repeat("é", 5000), 1, 0)
	f.Add(strings.Repeat("a", 100000), 1, 0)
	f.Add("A. \nB. \nC. \nAnswer:", 1, 0)
	f.Add("A.\nB.\nC.", 1, 0)
	f.Add("\x80\x80"+strings.Repeat("\x80", 7000), 1, 0)
	f.Fuzz(func(t *testing.T, text string, messages, tools int) {
		start := time.Now()
		r := Score(Signals{Text: text, Messages: messages, Tools: tools})
		if !(r.Failure >= 0 && r.Failure <= 1) {
			t.Errorf("failure %v", r.Failure)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
		if again := Score(Signals{Text: text, Messages: messages, Tools: tools}); again != r {
			t.Errorf("%v, then %v", r, again)
		}
	})
}

func BenchmarkScore(b *testing.B) {
	for _, bench := range []struct{ name, text string }{{"short", "What is the capital of France?"}, {"4KiB", longPrompt()}, {"1MiB", strings.Repeat(longPrompt(), 256)}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Score(Signals{Text: bench.text, Messages: 1})
			}
		})
	}
}
