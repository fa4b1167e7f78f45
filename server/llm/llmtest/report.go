package llmtest

import (
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// What a cell of the conformance table says. A cell that nothing was seen of is Nothing.
const (
	Yes      = "yes"
	Refused  = "refused"
	NoEffect = "no effect"
	Nothing  = "–"
)

// Report is what the tests saw of one driver.
type Report struct {
	Driver    string
	Behaviour map[string]string // by row
	Columns   []Column
}

// Column is what the tests saw of a driver with one model, parameter by parameter.
type Column struct {
	Title string
	Cells map[string]string // by row
}

// The rows that Exercise fills from what it runs.
const (
	rowStreamed   = "an answer in a stream"
	rowWhole      = "an answer in one piece"
	rowCalls      = "tool calls"
	rowParallel   = "several tool calls in one answer"
	rowThinking   = "thinking, apart from the text"
	rowLength     = "an answer that its limit cut"
	rowFilter     = "an answer that a filter ended"
	rowUsage      = "tokens in and out"
	rowCached     = "tokens read from the prompt cache"
	rowCacheWrite = "tokens written to the prompt cache"
	rowReasoning  = "tokens of thinking"
	rowMidStream  = "a failure inside a stream, and one with status 200"
	rowPage       = "a page of HTML in place of an answer"
	rowForms      = "CRLF, comments, split characters, lines of 4 MiB"
	rowEndless    = "an endless stream"
	rowCuts       = "a stream that is cut, after every byte"
	rowSilence    = "a server that falls silent"
	rowCancel     = "a call that is cancelled: the server sees it within a second"
	rowLeave      = "a reader that leaves"
	rowModels     = "a list of models"
	rowEmbeddings = "embeddings, counted and in order"
)

// classRows are the failures that are told apart.
var classRows = []struct {
	class llm.Class
	row   string
}{
	{llm.ClassAuth, "a refused key"}, {llm.ClassBilling, "an empty account"}, {llm.ClassRateLimit, "a rate limit, with its wait"}, {llm.ClassOverloaded, "an overloaded provider"},
	{llm.ClassServer, "a broken provider"}, {llm.ClassContext, "a conversation that is too long"}, {llm.ClassRefused, "refused content"},
	{llm.ClassInvalid, "an invalid request"}, {llm.ClassNotFound, "an unknown model"}, {llm.ClassTimeout, "a time limit of the provider"},
}

func behaviourRows() []string {
	rows := []string{rowStreamed, rowWhole, rowCalls, rowParallel, rowThinking, rowLength, rowFilter, rowUsage, rowCached, rowCacheWrite, rowReasoning}
	for _, c := range classRows {
		rows = append(rows, c.row)
	}
	return append(rows, rowMidStream, rowPage, rowForms, rowEndless, rowCuts, rowSilence, rowCancel, rowLeave, rowModels, rowEmbeddings)
}

// saw notes that a row's test has passed, or that it has not: one failure counts more than any success.
func (r *Report) saw(row string, passed bool) {
	switch {
	case !passed:
		r.Behaviour[row] = "fails"
	case r.Behaviour[row] == "":
		r.Behaviour[row] = Yes
	}
}

// sawAnswer notes what a good answer of the vendor's showed.
func (r *Report) sawAnswer(name string, want *ExpectAnswer, passed bool) {
	for row, shown := range map[string]bool{
		rowStreamed:   strings.HasSuffix(name, ".sse") && want.Text != "",
		rowWhole:      !strings.HasSuffix(name, ".sse") && want.Text != "",
		rowCalls:      len(want.Calls) > 0,
		rowParallel:   len(want.Calls) > 1,
		rowThinking:   want.Reasoning != "",
		rowLength:     want.Finish == llm.FinishLength,
		rowFilter:     want.Finish == llm.FinishContentFilter,
		rowUsage:      want.Usage.Total() > 0,
		rowCached:     want.Usage.Cached > 0,
		rowCacheWrite: want.Usage.CacheWrite > 0,
		rowReasoning:  want.Usage.Reasoning > 0,
	} {
		if shown {
			r.saw(row, passed)
		}
	}
}

// sawError notes which failure was told apart, and where it stood.
func (r *Report) sawError(name string, class llm.Class, passed bool) {
	if statusOf(name) == 200 {
		r.saw(rowMidStream, passed)
		return
	}
	for _, c := range classRows {
		if c.class == class {
			r.saw(c.row, passed)
		}
	}
}

// Table writes the two tables of what was seen: how each driver behaves, and what becomes of each parameter.
func Table(reports []*Report) string {
	var b strings.Builder
	heads, behaviours := []string{"What comes back"}, []map[string]string{}
	params, cells := []string{"What is asked"}, []map[string]string{}
	for _, r := range reports {
		heads, behaviours = append(heads, "`"+r.Driver+"`"), append(behaviours, r.Behaviour)
		for _, c := range r.Columns {
			params, cells = append(params, c.Title), append(cells, c.Cells)
		}
	}
	writeTable(&b, heads, behaviourRows(), behaviours)
	b.WriteByte('\n')
	writeTable(&b, params, probeRows(), cells)
	return b.String()
}

func writeTable(b *strings.Builder, heads, rows []string, columns []map[string]string) {
	b.WriteString("| " + strings.Join(heads, " | ") + " |\n|" + strings.Repeat("---|", len(heads)) + "\n")
	for _, row := range rows {
		b.WriteString("| " + row)
		for _, c := range columns {
			cell := c[row]
			if cell == "" {
				cell = Nothing
			}
			b.WriteString(" | " + cell)
		}
		b.WriteString(" |\n")
	}
}
