// Package chat is `clawless chat`: a conversation in the terminal, or one answer for a script.
package chat

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/answer"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/tui"
	"github.com/clawless/clawless/tui/kit"
)

type options struct {
	env     *cli.Env
	words   []string
	session string
	model   string
	system  string
	plain   bool
	full    bool

	thinking       string
	fallback       bool
	fallbackModels []string
	approvals      string
	receipt        bool
	showThinking   bool
}

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	o := options{env: env}
	return cli.Verb{
		Use:   "chat [MESSAGE...]",
		Short: "Talk to your tenant's assistant",
		Long: "Talk to your tenant's assistant. Without a message it opens the terminal chat, which keeps the conversation in a session.\n" +
			"With a message, with - for standard input, or in a pipe it streams one answer to standard output and exits; -o jsonl prints the\n" +
			"events as they come, -o json the whole answer. Such an answer belongs to no session unless --session names one.\n" +
			"Standard input is read with - or without a message, not beside one.\n\n" +
			"A model that is named answers or fails, unless --fallback lets another one answer in its place. --model auto lets the server choose\n" +
			"for each question. --receipt says on standard error which model answered, why, and what it cost; -o json has that as receipt.",
		Example: "clawless chat\nclawless chat \"why is the sky blue?\"\ncat report.txt | clawless chat - --system \"Sum this up in three lines.\"\n" +
			"clawless chat --session ses_06h0an8x5dx3xene18y86hvxj4 \"and at night?\"\nclawless chat \"hello\" --session new -o json\n" +
			"clawless chat \"what is the capital of France?\" --model auto --receipt\nclawless chat \"prove it\" --model mock/large --thinking high --show-thinking\n" +
			"clawless chat \"hello\" --model mock/fail-500 --fallback-model mock/small --receipt",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.session, "session", "", "continue the session `ID`; new starts one")
			fs.StringVar(&o.model, "model", "", "`MODEL` to ask, as provider/model; auto lets the server choose (default: the tenant's)")
			fs.StringVar(&o.thinking, "thinking", "", "how much to think, a `LEVEL`: "+strings.Join(kit.ThinkingLevels, ", ")+" (default: the session's)")
			fs.BoolVar(&o.fallback, "fallback", false, "let another model answer when this one fails")
			fs.StringArrayVar(&o.fallbackModels, "fallback-model", nil, "a `MODEL` that may answer when this one fails; repeat it for a list in order")
			fs.StringVar(&o.system, "system", "", "`TEXT` of instructions for this answer alone; needs a message")
			fs.StringVar(&o.approvals, "approvals", askFirst, "when a tool waits for your word: ask, wait for clawless run approve, or deny; without a terminal ask denies (`HOW`)")
			fs.BoolVar(&o.receipt, "receipt", false, "say afterwards which model answered, why, and what it cost; needs a message")
			fs.BoolVar(&o.showThinking, "show-thinking", false, "show what the model thinks, on standard error; needs a message")
			fs.BoolVar(&o.plain, "plain", false, "only append lines, for screen readers and simple terminals")
			fs.BoolVar(&o.full, "full", false, "begin in the full screen")
		},
		Run: func(ctx context.Context, args []string) error {
			o.words = args
			return o.run(ctx)
		},
	}.Command()
}

func (o *options) run(ctx context.Context) error {
	if err := o.check(); err != nil {
		return err
	}
	c, err := o.env.API()
	if err != nil {
		return err
	}
	if len(o.words) == 0 && o.env.InTTY() && !o.env.Flags.Output.Machine() {
		return o.converse(ctx, c)
	}
	text, err := o.message()
	if err != nil {
		return err
	}
	return o.once(ctx, c, text)
}

// check finds what is wrong with the flags before anything is sent.
func (o *options) check() error {
	if o.thinking != "" && !slices.Contains(kit.ThinkingLevels, o.thinking) {
		return cli.WithHint(cli.Usagef("--thinking %s: the levels are %s", strconv.Quote(o.thinking), strings.Join(kit.ThinkingLevels, ", ")), "clawless chat --thinking low")
	}
	if !slices.Contains([]string{askFirst, waitElsewhere, denyAll}, o.approvals) {
		return cli.WithHint(cli.Usagef("--approvals %s: it is ask, wait or deny", strconv.Quote(o.approvals)), "clawless chat --approvals wait")
	}
	if slices.Contains(o.fallbackModels, "") {
		return cli.WithHint(cli.Usagef("--fallback-model has no name"), "clawless model list")
	}
	return nil
}

func (o *options) converse(ctx context.Context, c *client.Client) error {
	if o.system != "" {
		return cli.Usagef("--system needs a message; a conversation takes its instructions from its session or tenant")
	}
	if o.receipt || o.showThinking {
		return cli.Usagef("--receipt and --show-thinking need a message; a conversation shows what it costs, and has /receipt")
	}
	if o.session == "new" {
		o.session = ""
	}
	return tui.Run(ctx, tui.Options{Backend: backend{c, client.AllowFallback(o.fallback, o.fallbackModels...)}, In: o.env.In, Out: o.env.Out,
		SessionID: o.session, Model: o.model, Thinking: o.thinking, Plain: o.plain, Full: o.full, Waits: o.approvals == waitElsewhere,
		Getenv: o.env.Getenv, Now: o.env.Now,
		Farewell: func(id string) string { return "to go on later: clawless chat --session " + id }})
}

// maxPiped bounds what is read from a pipe: more than any model takes would only fail later.
const maxPiped = 8 << 20

// message is the words of the command line, with standard input in place of - and after them in a pipe without words.
func (o *options) message() (string, error) {
	piped := len(o.words) == 0 || len(o.words) == 1 && o.words[0] == "-"
	if !piped {
		text := strings.Join(o.words, " ")
		if strings.TrimSpace(text) == "" {
			return "", cli.WithHint(cli.Usagef("the message is empty"), `clawless chat "your question"`)
		}
		return text, nil
	}
	data, err := io.ReadAll(io.LimitReader(o.env.In, maxPiped+1))
	if err != nil {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	if len(data) > maxPiped {
		return "", cli.Usagef("standard input is longer than %d MiB, which no model takes", maxPiped>>20)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if strings.TrimSpace(text) == "" {
		return "", cli.WithHint(cli.Usagef("there is no message: standard input is empty"), `clawless chat "your question"`)
	}
	return text, nil
}

// once streams one answer to standard output.
func (o *options) once(ctx context.Context, c *client.Client, text string) error {
	req := client.ChatRequest{Model: o.model, SessionID: o.session, Fallback: client.AllowFallback(o.fallback, o.fallbackModels...)}
	if req.Model == "" {
		req.Model = defaultModel
	}
	if o.thinking != "" {
		req.Thinking = &o.thinking
	}
	if o.session == "new" {
		s, err := c.CreateSession(ctx, sdk.CreateSessionRequest{})
		if err != nil {
			return err
		}
		req.SessionID = s.ID
		o.env.Note("session %s", s.ID)
	}
	if o.system != "" {
		req.Messages = append(req.Messages, sdk.ChatMessage{Role: "system", Content: sdk.Text(o.system)})
	}
	req.Messages = append(req.Messages, sdk.ChatMessage{Role: "user", Content: sdk.Text(text)})
	p := answer.Printer{Env: o.env, Session: req.SessionID, Thoughts: o.showThinking,
		Waits: func(run string, t client.ToolUse) error { return o.decide(ctx, c, run, answer.Call(t)) }}
	if err := p.Print(c.Chat(ctx, req)); err != nil || !o.receipt {
		return err
	}
	return printReceipt(o.env, p.Receipt())
}
