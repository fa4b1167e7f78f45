package sessions

import (
	"context"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/tui/kit"
)

func newCompare(env *cli.Env) *cobra.Command {
	body := sdk.CompareInput{}
	c := cli.Verb{
		Use:   "compare SESSION_ID TEXT",
		Short: "Have a message answered by several models at once, side by side",
		Long: "Have a message answered by several models at once: side by side where the terminal is wide enough, else one below the other.\n" +
			"All answers are kept; the conversation goes on with the first one, or with the one that clawless session select names.",
		Example:  "clawless session compare ses_06h0an8x5dx3xene18y86hvxj4 \"Why are there tides?\" --model openai/gpt-4o-mini --model ollama/llama3.2",
		Complete: ids(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringSliceVar(&body.Models, "model", nil, "`MODEL` that answers; name two to four")
			fs.StringVar(&body.Thinking, "thinking", "", "`LEVEL` of thinking: off, minimal, low, medium or high (default: the session's)")
		},
		Run: func(ctx context.Context, args []string) error {
			if len(body.Models) < 2 || len(body.Models) > 4 {
				return cli.WithHint(cli.Usagef("name two to four models with --model, not %d", len(body.Models)), "clawless model list")
			}
			c, err := env.API()
			if err != nil {
				return err
			}
			body.Content = args[1]
			out, err := c.CompareModels(ctx, args[0], body)
			if err != nil {
				return err
			}
			return compared(env, *out)
		},
	}.Command()
	_ = c.MarkFlagRequired("model") // fails only for a flag that is not there
	return c
}

// compared prints the answers; when none came, that is the command's failure.
func compared(env *cli.Env, out sdk.Comparison) error {
	p := env.Printer()
	var err error
	if p.Quiet {
		for _, a := range out.Answers {
			if a.MessageID != "" && err == nil {
				err = p.Value(a, a.MessageID)
			}
		}
	} else {
		err = p.Value(out, columns(out.Answers, p.Width, p.Colour)...)
	}
	if err != nil {
		return err
	}
	for _, a := range out.Answers {
		if a.Error == nil {
			return nil
		}
	}
	return cli.ErrSilent
}

const (
	narrowest = 32 // columns below which an answer is no pleasure to read
	between   = " │ "
)

// columns lays answers out beside each other, or one below the other when the terminal is too narrow for that or there is none.
func columns(answers []sdk.ComparedAnswer, width int, colour bool) []string {
	each := (width - ansi.StringWidth(between)*(len(answers)-1)) / len(answers)
	if each < narrowest {
		var out []string
		for i, a := range answers {
			if i > 0 {
				out = append(out, "")
			}
			out = append(out, block(a, width, colour)...)
		}
		return out
	}
	blocks, tallest := make([][]string, len(answers)), 0
	for i, a := range answers {
		blocks[i] = block(a, each, colour)
		tallest = max(tallest, len(blocks[i]))
	}
	out := make([]string, tallest)
	for row := range out {
		cells := make([]string, len(blocks))
		for i, b := range blocks {
			if row < len(b) {
				cells[i] = b[row]
			}
			if i < len(blocks)-1 {
				cells[i] += strings.Repeat(" ", max(0, each-ansi.StringWidth(cells[i])))
			}
		}
		out[row] = strings.TrimRight(strings.Join(cells, between), " ")
	}
	return out
}

// block is one answer in lines of at most width columns; zero is no limit.
func block(a sdk.ComparedAnswer, width int, colour bool) []string {
	text := a.Content
	if a.Error != nil {
		text = "no answer: " + a.Error.Message + " (" + a.Error.Code + ")"
	}
	parts := []string{a.Model, a.MessageID, bill(a.Clawless), text}
	var out []string
	for i, part := range parts {
		if part == "" {
			continue
		}
		part = cli.Clean(part)
		if width > 0 {
			part = ansi.Wrap(part, width, "")
		}
		style := show.Dim
		switch i {
		case 0:
			style = show.Bold
		case len(parts) - 1:
			style = ""
		}
		for line := range strings.SplitSeq(part, "\n") {
			out = append(out, style.Paint(colour && style != "", line))
		}
	}
	return out
}

// bill is what the answer took; empty when the server does not tell.
func bill(r *sdk.Receipt) string {
	if r == nil {
		return ""
	}
	var parts []string
	if r.Tokens != nil {
		parts = append(parts, fmt.Sprintf("%d tokens in, %d out", r.Tokens.Input, r.Tokens.Output))
	}
	if r.CostMicros != nil {
		parts = append(parts, kit.Dollars(*r.CostMicros))
	} else if r.PriceUnknown {
		parts = append(parts, "unknown price")
	}
	var ms int64
	for _, a := range r.Attempts {
		ms += a.Ms
	}
	if len(r.Attempts) > 0 {
		parts = append(parts, fmt.Sprintf("%d ms", ms))
	}
	return strings.Join(parts, ", ")
}
