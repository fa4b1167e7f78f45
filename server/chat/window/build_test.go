package window

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/tokens"
)

var (
	seed   = flag.Uint64("window.seed", 0, "the one seed to try; zero tries many")
	rounds = flag.Int("window.rounds", 2000, "how many seeds")
)

// TestBuild: whatever the conversation and the window, the context is what every provider takes, within its budget, and the newest of the conversation.
func TestBuild(t *testing.T) {
	from, to := uint64(1), uint64(*rounds)
	if testing.Short() {
		to = 500
	}
	if *seed != 0 {
		from, to = *seed, *seed
	}
	seen := map[string]int{}
	for s := from; s <= to && !t.Failed(); s++ {
		r := &random{Rand: rand.New(rand.NewPCG(s, 4))}
		in, question := r.input()
		before := marshal(t, in)
		got := Build(in)
		c := check{t: t, seed: s, in: in, got: got, question: question, kept: r.kept}
		c.all()
		if again := Build(in); !reflect.DeepEqual(got, again) {
			c.fail("the same input gave another context")
		}
		if marshal(t, in) != before {
			c.fail("the input was changed")
		}
		c.count(seen)
	}
	if *seed == 0 && !testing.Short() {
		for _, what := range []string{"trimmed", "dropped", "compacted", "too large", "all fits", "trimmed without drop"} {
			if seen[what] < *rounds/100 {
				t.Errorf("only %d contexts were %s: the test tries too little", seen[what], what)
			}
		}
	}
	t.Log(seen)
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(err.Error()) // contents may be no JSON at all
	}
	return string(b)
}

// check holds one context to what is promised.
type check struct {
	t        *testing.T
	seed     uint64
	in       Input
	got      Built
	question string
	kept     []string
}

func (c *check) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("seed %d (-window.seed=%d): "+format, append([]any{c.seed, c.seed}, args...)...)
}

var markPattern = regexp.MustCompile(`m\d{5}\.`)

func marksOf(list []llm.Message) []string {
	var out []string
	for _, m := range list {
		out = append(out, markPattern.FindAllString(llm.TextOf(m.Content), -1)...)
	}
	return out
}

func (c *check) all() {
	for _, v := range Violations(c.got.Messages) {
		c.fail("%s", v)
	}
	marks := marksOf(c.got.Messages)
	for i := 1; i < len(marks); i++ {
		if marks[i] <= marks[i-1] {
			c.fail("%s comes after %s", marks[i], marks[i-1])
		}
	}
	if !slices.Contains(marks, c.question) {
		c.fail("the question %s is missing", c.question)
	}
	system := llm.TextOf(c.got.Messages[0].Content)
	if c.got.Messages[0].Role != "system" || !strings.Contains(system, "SYSTEM-ONE") || !strings.Contains(system, "SYSTEM-TWO") {
		c.fail("the instructions are missing: %s", system)
	}
	if c.in.Summary != "" && !strings.Contains(llm.TextOf(c.got.Messages[1].Content), "SUMMARY") {
		c.fail("the summary is missing")
	}
	c.newest(marks)
	c.shortened()
	c.budget()
	c.compaction()
}

// newest checks that what is left out is the oldest, and nothing where all has room.
func (c *check) newest(marks []string) {
	if c.got.Dropped == 0 {
		if missing := slices.DeleteFunc(slices.Clone(c.kept), func(m string) bool { return slices.Contains(marks, m) }); len(missing) > 0 && c.got.Trimmed == 0 {
			c.fail("nothing was dropped, and yet %v are missing", missing)
		}
	}
	wide := c.in
	wide.Window, wide.Answer = 1<<40, 1
	full := Build(wide)
	c.needed(full)
	if full.Dropped+full.Trimmed > 0 || full.Compact != nil {
		c.fail("a window without end was cut: %d dropped, %d trimmed", full.Dropped, full.Trimmed)
	}
	all := marksOf(full.Messages)
	if c.got.Dropped == 0 && !slices.Equal(all, marks) {
		c.fail("what is left without a drop differs: %v of %v", marks, all)
	}
	at := slices.Index(all, c.question)
	old := all[:at]
	shown := marks[:max(0, slices.Index(marks, c.question))]
	if c.got.Dropped > 0 && !slices.Equal(shown, old[len(old)-len(shown):]) {
		c.fail("what is kept is not the newest: %v of %v", shown, old)
	}
	last, want := c.got.Messages[len(c.got.Messages)-1], full.Messages[len(full.Messages)-1]
	if last.Role != want.Role || last.ToolCallID != want.ToolCallID { // that the question is there was seen already
		c.fail("the newest is missing: %s", want.Content)
	}
	isShort := c.in.Summary == "" || c.in.Count.Count(c.in.Summary) < c.got.Room/summaryShare
	if isShort && full.Tokens <= c.got.Room && !reflect.DeepEqual(full.Messages, c.got.Messages) {
		c.fail("it was cut although all fits: %d tokens in %d", full.Tokens, c.got.Room)
	}
}

// shortened checks that old results are shortened before anything is left out, and the oldest first.
func (c *check) shortened() {
	list := c.got.Messages
	newest := len(list)
	for newest > 0 && list[newest-1].Role == "tool" {
		newest--
	}
	whole := -1
	for i, m := range list {
		text := llm.TextOf(m.Content)
		switch isShort := strings.Contains(text, "characters left out …]"); {
		case m.Role != "tool" || len([]rune(text)) <= 2*keepEnds+2*len(leftOut) && !isShort:
		case isShort && whole >= 0:
			c.fail("message %d is shortened, and message %d before it is not", i, whole)
		case !isShort:
			if whole = i; c.got.Dropped > 0 && i < newest {
				c.fail("messages are dropped, and message %d is as long as it was", i)
			}
		}
	}
}

// needed checks that the last result that was shortened had to be.
func (c *check) needed(full Built) {
	if c.got.Trimmed == 0 || c.got.Dropped > 0 || c.got.Tokens > c.got.Room {
		return
	}
	for i := len(full.Messages) - 1; i >= 0; i-- {
		whole, short := full.Messages[i], c.got.Messages[i]
		if string(whole.Content) == string(short.Content) || whole.Role != "tool" {
			continue
		}
		if c.got.Tokens+c.in.Count.Message(whole)-c.in.Count.Message(short) <= c.got.Room {
			c.fail("message %d was shortened without need", i)
		}
		return
	}
}

// budget counts the context anew.
func (c *check) budget() {
	cost := c.in.Count.Tools(c.in.Tools)
	for _, m := range c.got.Messages {
		cost += c.in.Count.Message(m)
	}
	if cost > c.got.Tokens+notes(c.got.Messages) {
		c.fail("it costs %d tokens and says %d", cost, c.got.Tokens)
	}
	if limit := max(c.in.Window-max(c.in.Answer, 1), c.in.Window/smallestShare); c.got.Room > limit {
		c.fail("the room is %d of %d", c.got.Room, limit)
	}
	if c.got.Tokens <= c.got.Room {
		return
	}
	for i, m := range c.got.Messages { // it is the least that there can be: nothing old, and every result short
		if n := len([]rune(llm.TextOf(m.Content))); m.Role == "tool" && n > 4*shortest+len(leftOut)+10 {
			c.fail("message %d has %d characters, and there is no room", i, n)
		}
	}
	if marks := marksOf(c.got.Messages); marks[0] < c.question {
		c.fail("there is no room, and %s is still there", marks[0])
	}
}

// notes is what the notes between messages cost.
func notes(list []llm.Message) int64 {
	var n int64
	for _, m := range list {
		if text := llm.TextOf(m.Content); text == noAnswer {
			n += 20
		}
	}
	return n
}

// compaction checks that what is proposed can be summarised, and makes room.
func (c *check) compaction() {
	p := c.got.Compact
	if p == nil {
		return
	}
	if c.got.Dropped == 0 {
		c.fail("nothing is left out, and yet a summary is proposed")
	}
	if p.From < 1 || p.UpTo < p.From || p.UpTo > int64(len(c.in.History)) || p.Count < 1 {
		c.fail("a summary of %d messages from %d up to %d of %d", p.Count, p.From, p.UpTo, len(c.in.History))
	}
	for _, m := range c.in.History {
		if strings.Contains(llm.TextOf(m.Content), c.question) && p.UpTo >= m.Sequence {
			c.fail("what was asked, at %d, is to be summarised", m.Sequence)
		}
	}
	for _, v := range Violations(p.Prompt) {
		c.fail("the prompt for the summary: %s", v)
	}
	var cost int64
	for _, m := range p.Prompt {
		cost += tokens.Counter{}.Message(m)
	}
	if cost+summaryAnswer > DefaultCheap {
		c.fail("the prompt for the summary costs %d", cost)
	}
	after := c.in
	after.Summary = "SUMMARY of what was"
	after.History = slices.DeleteFunc(slices.Clone(c.in.History), func(m Message) bool { return m.Sequence <= p.UpTo })
	alone := after
	alone.History = c.turn()
	if turn := Build(alone); turn.Dropped > 0 || turn.Tokens > turn.Room/2 {
		return // the turn takes what there is
	}
	if next := Build(after); next.Dropped > 0 {
		c.fail("with the summary %d are still dropped", next.Dropped)
	}
}

// turn is what of the history belongs to the turn under way.
func (c *check) turn() []Message {
	i := slices.IndexFunc(c.in.History, func(m Message) bool { return strings.Contains(llm.TextOf(m.Content), c.question) })
	if i < 0 {
		return nil
	}
	return c.in.History[i:]
}

func (c *check) count(seen map[string]int) {
	for what, is := range map[string]bool{"trimmed": c.got.Trimmed > 0, "dropped": c.got.Dropped > 0, "compacted": c.got.Compact != nil, "too large": c.got.Tokens > c.got.Room,
		"all fits": c.got.Dropped+c.got.Trimmed == 0, "trimmed without drop": c.got.Trimmed > 0 && c.got.Dropped == 0} {
		if is {
			seen[what]++
		}
	}
}
