// Command demotest runs the terminal chat against a scripted server, to look at it in a real terminal:
//
//	go run ./tui/internal/demotest -rate 200
//
// "table", "code", "world", "list", "evil", "think" and "fail" in a message choose an answer.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/clawless/clawless/cmd/clawless/aaterm"
	"github.com/clawless/clawless/tui"
	"github.com/clawless/clawless/tui/internal/scripttest"
	"github.com/clawless/clawless/tui/kit"
)

func main() {
	aaterm.Restore()
	rate := flag.Int("rate", 200, "tokens a second")
	plain := flag.Bool("plain", false, "plain mode")
	full := flag.Bool("full", false, "full screen")
	session := flag.String("session", "", "session to continue")
	delay := flag.Duration("delay", 0, "time to the first token")
	env := flag.Bool("env", false, "print TERM as it is after the start and leave")
	flag.Parse()
	if *env {
		term, set := os.LookupEnv("TERM")
		fmt.Printf("TERM=%q %v\n", term, set)
		return
	}
	b := &scripttest.Backend{Answer: scripttest.Long, Answers: scripttest.Texts(), Piece: 4, Pace: time.Second / time.Duration(*rate), FailAfter: -1}
	for i := range 35 {
		id := fmt.Sprintf("ses_%02d", i)
		b.List = append(b.List, kit.Session{ID: id, Title: scripttest.Title(i), Messages: 2 + i*3, UpdatedAt: time.Now().Add(-time.Duration(i*i) * 20 * time.Minute)})
		var said []kit.Message
		for m := range 2 + i*3 {
			said = append(said, kit.Message{Role: [...]string{"user", "assistant"}[m%2], Text: fmt.Sprintf("Message **%d** of the session.", m+1)})
		}
		if b.Said == nil {
			b.Said = map[string][]kit.Message{}
		}
		b.Said[id] = said
	}
	b.Names = []kit.Model{{ID: "mock/echo", Note: "repeats what you say"}, {ID: "openai/gpt-4o", Note: "128k context"},
		{ID: "openai/gpt-4o-mini", Note: "128k context"}, {ID: "anthropic/claude-sonnet", Note: "200k context"}, {ID: "ollama/llama3.2"}}
	wrapped := demo{b, *delay}
	err := tui.Run(context.Background(), tui.Options{Backend: wrapped, Plain: *plain, Full: *full, SessionID: *session,
		Farewell: func(id string) string { return "session " + id }})
	if err != nil {
		fmt.Fprintln(os.Stderr, strings.ToLower(err.Error()))
		os.Exit(1)
	}
}
