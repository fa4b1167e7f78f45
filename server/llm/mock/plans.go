package mock

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/clawless/clawless/server/llm"
)

func planEcho(p *Provider, c *call) script {
	text := c.userText()
	if text == "" {
		text = "There is no user message to repeat."
	}
	return script{text: c.formatted(text), pace: p.Pace}
}

// planRecall shows what a model gets of a conversation, which nothing else of the mock models does.
func planRecall(p *Provider, c *call) script {
	var said []string
	for _, m := range c.req.Messages {
		if m.Role == "user" {
			said = append(said, strconv.Quote(textOf(m.Content)))
		}
	}
	text := "This is the first thing you have said."
	if n := len(said) - 1; n > 0 {
		text = "Earlier you said: " + strings.Join(said[:n], ", ") + "."
	}
	return script{text: c.formatted(text), pace: p.Pace}
}

func planLorem(p *Provider, c *call) script { return script{text: c.formatted(lorem(c)), pace: p.Pace} }

func planSlow(p *Provider, c *call) script {
	return script{text: c.formatted(lorem(c)), pace: p.SlowPace}
}

// formatted is the text, or where the caller wants JSON an object that fits its schema and takes its strings from the text.
func (c *call) formatted(text string) string {
	if c.format == nil {
		return text
	}
	if string(c.format) == "{}" {
		b, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			return "{}"
		}
		return string(b)
	}
	return sample(c.format, text)
}

func failRate(p *Provider) *llm.Error {
	return &llm.Error{Class: llm.ClassRateLimit, Provider: p.name, Status: 429, Type: "rate_limit_error", Code: "rate_limit_exceeded",
		Message: "mock rate limit", RetryAfter: 2 * time.Second}
}

func failServer(p *Provider) *llm.Error {
	return &llm.Error{Class: llm.ClassServer, Provider: p.name, Status: 500, Type: "server_error", Message: "mock server error"}
}

func failUnreachable(p *Provider) *llm.Error {
	return &llm.Error{Class: llm.ClassUnreachable, Provider: p.name, Message: "mock connection refused"}
}

// failAlways makes the plan of a model that fails every call before the answer begins.
func failAlways(fail func(*Provider) *llm.Error) func(*Provider, *call) script {
	return func(p *Provider, _ *call) script { return script{fail: fail(p)} }
}

// keptConversations bounds the memory of fail-500-twice.
const keptConversations = 1024

func planFailTwice(p *Provider, c *call) script {
	key := c.digest()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed[key] == 2 {
		delete(p.failed, key)
		return planEcho(p, c)
	}
	if len(p.failed) >= keptConversations {
		clear(p.failed)
	}
	p.failed[key]++
	return script{fail: failServer(p)}
}

func planStall(p *Provider, c *call) script {
	return script{text: lorem(c), pace: p.Pace, stall: true, failAt: 1}
}

func planCut(p *Provider, c *call) script {
	return script{text: lorem(c), pace: p.Pace, failAt: 5,
		fail: &llm.Error{Class: llm.ClassBroken, Provider: p.name, Message: "the stream ended without a finish reason"}}
}

func planMalformed(p *Provider, c *call) script {
	return script{text: lorem(c), pace: p.Pace, failAt: 3,
		fail: &llm.Error{Class: llm.ClassBroken, Provider: p.name, Message: "a frame of the stream is not JSON"}}
}

// The words of lorem: sentences are drawn from them at random, seeded by the conversation.
var (
	openings = []string{"In practice", "As a rule", "For a start", "On most days", "After a while", "In the end", "To be precise", "Seen from afar"}
	subjects = []string{"the assistant", "a careful answer", "the conversation", "every question", "the second draft", "a short note", "the whole team", "this example"}
	verbs    = []string{"explains", "follows", "gathers", "improves", "prepares", "describes", "supports", "reminds us of"}
	objects  = []string{"the main idea", "a few small steps", "the work at hand", "what was asked before", "the numbers on the page", "a simple plan", "the next release", "many useful details"}
	endings  = []string{"without any hurry", "before the day is over", "with a clear purpose", "from one line to the next", "so that nothing is lost", "and keeps it readable", "as everybody expected", "where it matters most"}
)

// loremWords is the length that lorem aims at.
const loremWords = 120

// lorem writes about 120 words in paragraphs, the same for the same conversation.
func lorem(c *call) string {
	key := c.digest()
	r := rand.New(rand.NewChaCha8(key))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	var b strings.Builder
	for words, sentences := 0, 0; words < loremWords; sentences++ {
		switch {
		case sentences > 0 && sentences%4 == 0:
			b.WriteString("\n\n")
		case sentences > 0:
			b.WriteByte(' ')
		}
		s := pick(openings) + ", " + pick(subjects) + " " + pick(verbs) + " " + pick(objects) + " " + pick(endings) + "."
		words += strings.Count(s, " ") + 1
		b.WriteString(s)
	}
	return b.String()
}
