package compare

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/turns"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// Routes serves comparisons.
type Routes struct{ Turns *turns.Turns }

// CompareInput asks the same of several models.
type CompareInput struct {
	Models   []string `json:"models" minItems:"2" maxItems:"4" nullable:"false" doc:"Names of models, as in chat"`
	Content  string   `json:"content" minLength:"1" maxLength:"200000" doc:"What the user says"`
	Thinking string   `json:"thinking,omitempty" maxLength:"20" doc:"How much the models think: off, minimal, low, medium or high"`
}

// ComparisonBody is what several models said to the same.
type ComparisonBody struct {
	MessageID string           `json:"message_id" doc:"Of the user's message, whose answers these are"`
	Answers   []ComparedAnswer `json:"answers" nullable:"false" doc:"In the order of the models; the first that there is goes on being the conversation"`
}

// ComparedAnswer is what one model said.
type ComparedAnswer struct {
	Model     string           `json:"model" doc:"As it was asked for; clawless.model says which answered"`
	RunID     string           `json:"run_id,omitempty"`
	MessageID string           `json:"message_id,omitempty" doc:"Select it to go on with this answer"`
	Content   string           `json:"content"`
	Error     *CompareError    `json:"error,omitempty" doc:"Why there is no answer"`
	Clawless  *dialect.Receipt `json:"clawless,omitempty"`
}

// CompareError says why a model gave no answer.
type CompareError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type (
	compareIn struct {
		Session string `path:"session" maxLength:"64" doc:"The session's id"`
		api.Idempotent
		Body CompareInput
	}
	compareOut struct{ Body ComparisonBody }
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	op := huma.Operation{OperationID: "compare-models", Method: "POST", Path: "/v1/sessions/{session}/compare", Summary: "Ask several models the same, side by side", Tags: []string{"sessions"}}
	api.Handle(a, api.KeyWith(auth.ScopeChat), op, r.compare)
}

func (r Routes) compare(ctx context.Context, in *compareIn) (*compareOut, error) {
	effort, ok := llm.ParseEffort(in.Body.Thinking)
	if in.Body.Thinking != "" && !ok {
		return nil, fault.New(fault.ValidationFailed, "thinking: must be off, minimal, low, medium or high").WithParam("thinking")
	}
	question, answers, err := comparer{r.Turns}.compare(ctx, in.Session, in.Body.Models, llm.Text(in.Body.Content), effort)
	if err != nil {
		return nil, err
	}
	body := ComparisonBody{MessageID: question, Answers: make([]ComparedAnswer, len(answers))}
	for i, one := range answers {
		body.Answers[i] = ComparedAnswer{Model: one.Model, RunID: one.RunID, MessageID: one.MessageID, Content: one.Content, Clawless: one.Receipt}
		if one.Err != nil {
			f := fault.From(one.Err)
			body.Answers[i].Error = &CompareError{Code: string(f.Code), Message: f.Message}
		}
	}
	return &compareOut{Body: body}, nil
}
