// Command clawless is the server, the operator's CLI and the terminal chat in one binary.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/clawless/clawless/cmd/clawless/aaterm"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/version"
)

func main() { os.Exit(run()) }

// run lets a first signal end things in order and a second one at once.
func run() int {
	aaterm.Restore()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	env := cli.System()
	env.Version = version.Get().Version
	return cli.Execute(ctx, env, newRoot(env), os.Args[1:])
}
