// Package kit is what the pages of the terminal chat share, without input or output: the data they show, the theme,
// the keys, the wrapping of text, the list and the status line.
package kit

import "time"

// EventKind says what an Event carries.
type EventKind int

// The kinds of events of an answer.
const (
	// Started is the first event: it names the run, the session and the model that answers.
	Started EventKind = iota
	// Text is the next piece of the answer's markdown.
	Text
	// Thinking is the next piece of the model's reasoning, which is shown folded.
	Thinking
	// Tool says what a tool of the server does; a later event of the same call takes the place of an earlier one.
	Tool
	// Notice is one line for the person, for example that the connection is being opened again.
	Notice
	// Done is the last event of a complete answer and carries its usage and its cost.
	Done
)

// Event is one step of an answer. Only the fields that its kind names are set.
type Event struct {
	Kind EventKind
	// Text is the piece or the line of Text, Thinking and Notice.
	Text string
	// Call belongs to Tool.
	Call Call
	// RunID, SessionID and Model belong to Started, Model to Done too. An empty field means "not known" and changes
	// nothing.
	RunID, SessionID, Model string
	// Usage and Cost belong to Done, and so does Receipt: lines that say which model answered, why, and what it cost.
	Usage   Usage
	Cost    Cost
	Receipt []string
}

// Usage counts the tokens of one turn. Zero in both fields means that nobody counted.
type Usage struct {
	Input, Output int
}

// Ask is one message to send.
type Ask struct {
	// SessionID continues a session; empty asks the server for a new one, which Started then names.
	SessionID string
	// Model is a model id; empty means the tenant's default.
	Model string
	// Thinking is one of ThinkingLevels; empty means the session's.
	Thinking string
	// Text is what the person wrote, as written.
	Text string
	// Again has the session's newest question answered again, and Edit puts Text in its place; both need a SessionID.
	Again, Edit bool
}

// ActionKind says what an Action does.
type ActionKind int

// What a person can do besides asking.
const (
	// Stop ends a run, whose text so far is kept.
	Stop ActionKind = iota
	// Approve and Deny decide about a call that waits.
	Approve
	Deny
	// Reset goes on with an empty context, Undo takes that back, and Fork copies the session into a new one.
	Reset
	Undo
	Fork
)

// Action is one thing that a person does to a run or to a session. Only the fields that its kind needs are set.
type Action struct {
	Kind ActionKind
	// RunID belongs to Stop, Approve and Deny, ApprovalID to the last two, SessionID to Reset, Undo and Fork.
	RunID, ApprovalID, SessionID string
}

// Session is one conversation as a list shows it.
type Session struct {
	ID, Title, Model string
	Messages         int
	UpdatedAt        time.Time
}

// SessionPage is one page of sessions, newest first. Next is empty on the last page.
type SessionPage struct {
	Sessions []Session
	Next     string
}

// Message is one message of a session.
type Message struct {
	// Role is user, assistant, tool or system. Only the first two are shown.
	Role, Text string
}

// MessagePage is one page of messages, oldest first within the page. The page for an empty cursor holds the
// newest messages of the session; Next leads to the page before it and is empty at the session's beginning.
type MessagePage struct {
	Messages []Message
	Next     string
}

// Model is one model that the key may use.
type Model struct {
	// ID is what a request names; Note is one short line about it, or empty.
	ID, Note string
}

// Hinter is implemented by errors that know what the person can do next.
type Hinter interface {
	// Hint is one line, for example "try: clawless login".
	Hint() string
}

// OpenSessions asks the program to show the list of sessions.
type OpenSessions struct{}

// OpenModels asks the program to show the list of models.
type OpenModels struct{}

// Back asks the program to return to the chat.
type Back struct{}

// PickSession switches the chat to a session; an empty ID begins a new one.
type PickSession struct{ Session Session }

// PickModel makes a model answer from the next message on.
type PickModel struct{ ID string }
