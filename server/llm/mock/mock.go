// Package mock is a provider without a network: models that answer, stream, call tools and fail on request, so that every feature can be tried and tested offline.
package mock

import (
	"context"
	"crypto/sha256"
	"iter"
	"sync"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// Driver makes mock providers. It needs no key and no address and knows nothing that a real driver would not be told.
var Driver = llm.Driver{
	Name:  "mock",
	Title: "Mock models that run inside the server",
	New:   func(cfg llm.Config) (llm.Provider, error) { return New(cfg), nil },
}

// The default waits between two pieces of an answer.
const (
	defaultPace = 5 * time.Millisecond
	slowPace    = 40 * time.Millisecond
	defaultIdle = time.Minute
)

// Provider runs the mock models. It is safe for concurrent use; Pace and SlowPace may be changed before the first call.
type Provider struct {
	Pace     time.Duration // the wait before each piece of an answer; zero for none
	SlowPace time.Duration // the same for the model "slow"

	name string
	idle time.Duration

	mu     sync.Mutex
	failed map[[sha256.Size]byte]int // how often fail-500-twice has failed a conversation
}

// New makes a provider with the default pace.
func New(cfg llm.Config) *Provider {
	p := &Provider{Pace: defaultPace, SlowPace: slowPace, name: cfg.Name, idle: cfg.Idle, failed: map[[sha256.Size]byte]int{}}
	if p.name == "" {
		p.name = "mock"
	}
	if p.idle <= 0 {
		p.idle = defaultIdle
	}
	return p
}

// Name is the provider's name in model ids.
func (p *Provider) Name() string { return p.name }

// Description says what one mock model does, for people.
type Description struct {
	ID    string // the model's name without the provider
	About string // one sentence
}

// Table describes every mock model, in the order of the documentation, which is generated from it.
func Table() []Description {
	out := make([]Description, len(models))
	for i, m := range models {
		out[i] = m.Description
	}
	return out
}

// Models lists the mock models.
func (p *Provider) Models(context.Context) ([]llm.Model, error) {
	out := make([]llm.Model, len(models))
	for i, m := range models {
		out[i] = llm.Model{ID: m.ID, OwnedBy: "clawless", ContextWindow: contextWindow}
	}
	return out, nil
}

// NativeSchema implements llm.Abilities: whatever schema is wanted, the answer is made to fit it.
func (p *Provider) NativeSchema(*llm.Request) bool { return true }

// contextWindow is what the mock models claim and keep: longer conversations are refused as a real provider refuses them.
const contextWindow = 1_000_000

// model is a description and the plan it follows.
type model struct {
	Description
	plan func(p *Provider, c *call) script
}

var models = []model{
	{Description{"echo", "Answers with the user's last text, streamed word by word."}, planEcho},
	{Description{"lorem", "Answers with about 120 words of plausible text, the same for the same conversation."}, planLorem},
	{Description{"recall", "Answers with what the user said earlier in the conversation, to see that a session remembers."}, planRecall},
	{Description{"tools", "Calls the tool named in tool_choice or in the user's text, or else the first one offered, with arguments that fit its schema; then answers with the result."}, planTools},
	{Description{"small", "Answers in one short sentence, calls the tools that the text names, and fails a hard question where the user asks for it, to see `auto` escalate: with `[empty]` in the text it says nothing, with `[invalid json]` it breaks off the JSON that was wanted, with `[repeat]` it makes the same tool call again after its result."}, planSmall},
	{Description{"large", "Answers the same questions at length and in each of these cases properly; thinks aloud first when it is told to (`reasoning_effort` of minimal, low, medium or high)."}, planLarge},
	{Description{embedder, "Makes vectors of length 1 for `/v1/embeddings`: 256 dimensions or as many as are asked for (up to 4096), the nearer the more words two texts share."}, planEmbed},
	{Description{"slow", "Answers like lorem with 40 ms between the words, to try cancelling and resuming."}, planSlow},
	{Description{"fail-429", "Refuses every call with 429 and Retry-After: 2."}, failAlways(failRate)},
	{Description{"fail-500", "Fails every call with 500."}, failAlways(failServer)},
	{Description{"fail-500-twice", "Fails the first two calls of a conversation with 500 and answers the third like echo."}, planFailTwice},
	{Description{"fail-first", "Cannot be reached: every call fails before an answer begins."}, failAlways(failUnreachable)},
	{Description{"fail-stall", "Sends one word and then nothing more until the call is cancelled or the idle limit ends it."}, planStall},
	{Description{"fail-cut", "Sends five words and then loses the connection."}, planCut},
	{Description{"fail-malformed", "Sends three words and then a frame that cannot be read."}, planMalformed},
}

// Stream runs the model that req names. Tokens are counted as four characters each, rounded up.
func (p *Provider) Stream(ctx context.Context, req *llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		c, err := p.newCall(ctx, req)
		if err != nil {
			yield(llm.Chunk{}, err)
			return
		}
		for _, m := range models {
			if m.ID == req.Model {
				c.play(m.plan(p, c), yield)
				return
			}
		}
		yield(llm.Chunk{}, &llm.Error{Class: llm.ClassNotFound, Provider: p.name, Status: 404, Type: "invalid_request_error", Code: "model_not_found",
			Message: "there is no such mock model"})
	}
}
