package runs

import (
	"context"
	"encoding/json"
	"iter"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/answer"
	"github.com/clawless/clawless/sdk"
)

func newFollow(env *cli.Env) *cobra.Command {
	after := 0
	return cli.Verb{
		Use:   "follow RUN_ID",
		Short: "Print a run's answer as it comes, or again when it is over",
		Long: "Print a run's answer as it comes, or again when it is over. Leaving it does not stop the run. A connection that breaks is taken up again.\n" +
			"The events of a run have numbers; with --after those up to the given one are left out.",
		Example: "clawless run follow run_06h0an8x5dx3xene18y86hvxj4\nclawless run follow run_06h0an8x5dx3xene18y86hvxj4 --after 12 -o jsonl",
		Flags:   func(fs *pflag.FlagSet) { fs.IntVar(&after, "after", 0, "begin after the event with the number `N`") },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			if after <= 0 {
				return answer.Print(env, c.Follow(ctx, args[0]))
			}
			params := &sdk.StreamRunParams{LastEventID: strconv.Itoa(after)}
			return answer.Print(env, told(args[0], c.StreamRun(ctx, args[0], params)))
		},
	}.Command()
}

// told makes events of the rest of a run's log.
func told(run string, chunks iter.Seq2[sdk.ChatChunk, error]) iter.Seq2[client.Event, error] {
	return func(yield func(client.Event, error) bool) {
		started := false
		for chunk, err := range chunks {
			if err != nil {
				yield(nil, err)
				return
			}
			if !started && !yield(client.Started{RunID: run, Model: chunk.Model}, nil) {
				return
			}
			started = true
			for _, ev := range events(run, chunk) {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

func events(run string, chunk sdk.ChatChunk) (out []client.Event) {
	receipt := chunk.Clawless
	for _, choice := range chunk.Choices {
		if d := choice.Delta; d.ReasoningContent != "" {
			out = append(out, client.ReasoningDelta{Text: d.ReasoningContent})
		} else if d.Content != "" {
			out = append(out, client.TextDelta{Text: d.Content})
		} else if d.Refusal != "" {
			out = append(out, client.RefusalDelta{Text: d.Refusal})
		}
		if choice.FinishReason != "" {
			f := client.Finish{Reason: choice.FinishReason, Model: chunk.Model, RunID: run, Receipt: receipt}
			if receipt != nil {
				f.SessionID = receipt.SessionID
			}
			out = append(out, f)
		}
	}
	if receipt != nil && receipt.Tool != nil {
		t := receipt.Tool
		use := client.ToolUse{
			ID: t.ID, Name: t.Name, Status: t.Status, Source: t.Source, Took: time.Duration(t.Ms) * time.Millisecond, Why: t.Why, ApprovalID: t.ApprovalID, Taint: t.Taint,
		}
		if b, err := json.Marshal(t.Arguments); err == nil && t.Arguments != nil {
			use.Arguments = string(b)
		}
		out = append(out, use)
	}
	return out
}
