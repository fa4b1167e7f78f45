// Package catalog knows what models cost and what they can do, from one versioned data file that an operator may extend.
package catalog

import "github.com/clawless/clawless/server/llm"

// Price is what a model costs, in micro-dollars per million tokens.
type Price struct {
	Input      int64
	Output     int64 // thinking tokens cost the same
	CacheRead  int64 // input tokens that the provider had cached
	CacheWrite int64 // input tokens that it cached
}

// Class is how capable a model is, roughly; a fallback stays in its class while it can.
type Class string

// The classes, smallest first. The empty class is an unknown one.
const (
	Small  Class = "small"
	Medium Class = "medium"
	Large  Class = "large"
)

// Info is what is known of one model.
type Info struct {
	ID            string // provider/model, as the table has it
	Name          string
	Class         Class
	ContextWindow int64 // tokens; zero when unknown
	MaxOutput     int64 // tokens; zero when unknown
	Price         Price
	Priced        bool // Price is known; a price of zero is a price
	Tools         bool // it calls functions
	Vision        bool // it takes images
	Schema        bool // it keeps to a JSON schema by itself
	Embedding     bool // it makes vectors and no text
	Efforts       []llm.Effort
}
