// Package archive gives conversations out as JSON and Markdown, takes them in again, and erases them.
package archive

import (
	"time"

	"github.com/clawless/clawless/server/sessions/serve"
)

// Format is the version of the exported form. A reader of it takes fields that it does not know as said by a newer server.
const Format = "clawless.session/1"

// SessionExport is a conversation with everything in it: all branches of all epochs.
type SessionExport struct {
	Format     string                     `json:"format" doc:"clawless.session/1"`
	ExportedAt time.Time                  `json:"exported_at"`
	Session    serve.SessionBody          `json:"session"`
	Epochs     []serve.SessionEpochBody   `json:"epochs" nullable:"false"`
	Summaries  []serve.SessionSummaryBody `json:"summaries" nullable:"false"`
	Messages   []serve.MessageBody        `json:"messages" nullable:"false" doc:"By sequence"`
}
