package kit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// CallStatus says how far a call is.
type CallStatus string

// The states of a call, as the server names them.
const (
	CallRunning CallStatus = "running"
	CallWaiting CallStatus = "waiting" // for an Approve or a Deny
	CallDone    CallStatus = "done"
	CallFailed  CallStatus = "failed"
	CallDenied  CallStatus = "denied"
)

// Call is what a tool of the server does in a turn. All its texts may come from strangers.
type Call struct {
	ID, Name string
	Status   CallStatus
	Took     time.Duration
	// Why says why it failed or was denied.
	Why string
	// ApprovalID, Arguments, which are JSON, and Taint belong to a call that waits. Taint names what strangers wrote that the turn has read.
	ApprovalID, Arguments string
	Taint                 []string
}

// Line says in one line what became of the call, or what it does.
func (c Call) Line() string {
	text := Line(c.Name) + " " + string(c.Status)
	if c.Took > 0 {
		text += " in " + Took(c.Took)
	}
	if c.Why != "" {
		text += ": " + Line(c.Why)
	}
	return text
}

// Took writes how long something took.
func Took(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// maxArguments bounds the lines of a question, so that it stays on the screen with what is asked.
const maxArguments = 24

// Question is what a person has to know before a call is made, without its name.
func (c Call) Question() []string {
	var args bytes.Buffer
	lines := []string{"without arguments"}
	if err := json.Indent(&args, []byte(c.Arguments), "", "  "); err != nil {
		lines = []string{c.Arguments}
	} else if s := args.String(); s != "{}" && s != "null" {
		lines = strings.Split(s, "\n")
	}
	if more := len(lines) - maxArguments; more > 0 {
		lines = append(lines[:maxArguments:maxArguments], "and "+Plural(more, "more line"))
	}
	for i := range lines {
		lines[i] = Visible(lines[i])
	}
	if len(c.Taint) > 0 {
		lines = append(lines, "Strangers wrote part of what this turn has read: "+Line(strings.Join(c.Taint, ", "))+".")
	}
	return lines
}

// Calls are the calls of a turn that are not over, in the order in which they began.
type Calls []Call

// Update takes an event of a call, and reports whether it is over.
func (l *Calls) Update(c Call) bool {
	i := slices.IndexFunc(*l, func(o Call) bool { return o.ID == c.ID })
	over := c.Status != CallRunning && c.Status != CallWaiting
	switch {
	case i < 0 && !over:
		*l = append(*l, c)
	case i >= 0 && over:
		*l = slices.Delete(*l, i, i+1)
	case i >= 0:
		(*l)[i] = c
	}
	return over
}

// Waits is the first call that somebody has to decide about.
func (l Calls) Waits() (Call, bool) {
	i := slices.IndexFunc(l, func(c Call) bool { return c.Status == CallWaiting })
	if i < 0 {
		return Call{}, false
	}
	return l[i], true
}
