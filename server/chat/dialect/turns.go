package dialect

import (
	"encoding/json"
	"fmt"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/tool"
)

const maxServerTools = 100 // names or patterns of one request

// turn reads our own additions about a session's turn: what it answers again, what it replaces and which tools of the server it may use.
func (r *reader) turn(req *Request) {
	r.read("regenerate", &req.Regenerate, "the id of a message", false)
	r.read("edit", &req.Edit, "the id of a user message", false)
	r.short("regenerate", req.Regenerate)
	r.short("edit", req.Edit)
	if req.Regenerate != "" && req.Edit != "" {
		r.fail("regenerate", "cannot be given together with edit")
	}
	if _, ok := r.fields["server_tools"]; !ok {
		return
	}
	var list []string
	if !r.read("server_tools", &list, "a list of names or patterns of tools", false) {
		return
	}
	if len(list) > maxServerTools {
		r.fail("server_tools", "at most %d names", maxServerTools)
	}
	for i, name := range list {
		r.short(fmt.Sprintf("server_tools[%d]", i), name)
	}
	list = append([]string{}, list...)
	req.ServerTools = &list
}

// ToolEvent tells a stream's reader what a tool of the server does.
type ToolEvent struct {
	ID         string          `json:"id" doc:"Of the call, as the session's messages name it"`
	Name       string          `json:"name"`
	Status     string          `json:"status" enum:"running,waiting,done,failed,denied" doc:"waiting: somebody has to approve it with POST /v1/runs/{run}/approve"`
	Source     string          `json:"source,omitempty" doc:"builtin, http or mcp"`
	MS         int64           `json:"ms,omitempty" doc:"How long it took"`
	Why        string          `json:"why,omitempty" doc:"Why it was denied or failed"`
	ApprovalID string          `json:"approval_id,omitempty"`
	Arguments  json.RawMessage `json:"arguments,omitempty" doc:"Without credentials, for those who have to approve"`
	Taint      []tool.Taint    `json:"taint,omitempty" doc:"What strangers wrote that the turn has read"`
}

// ToolFrame is the chunk that tells of a tool. Its delta is empty, so that clients who do not know it see nothing.
func (a *Answer) ToolFrame(e ToolEvent) []byte {
	b, _ := json.Marshal(Receipt{Model: a.Model, SessionID: a.SessionID, RunID: a.RunID, Tool: &e}) // texts and numbers always marshal; arguments were valid JSON
	return a.frame([]byte(`{}`), "", nil, `,"clawless":`+string(b))
}

// BeatFrame is a chunk that says nothing but that the answer is still under way.
func (a *Answer) BeatFrame() []byte { return a.frame([]byte(`{}`), "", nil, "") }

// CallsOnly reads the deltas of calls that the caller has to make; index says where each stands among them, and is below zero for one that the server makes.
func CallsOnly(deltas []llm.ToolCallDelta, index func(llm.ToolCallDelta) int) []llm.ToolCallDelta {
	var out []llm.ToolCallDelta
	for _, d := range deltas {
		if i := index(d); i >= 0 {
			d.Index = i
			out = append(out, d)
		}
	}
	return out
}
