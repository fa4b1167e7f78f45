// Command bench measures what Clawless costs on this machine: its start-up, and what it adds to a call and to a stream over talking to the model server directly; and what long lists and long sessions cost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/clawless/clawless/build/bench/floor"
	"github.com/clawless/clawless/build/bench/upstream"
)

// streamTokens is the length of a stream in every measurement.
const streamTokens = 200

// options are what a run is asked for.
type options struct {
	bin      string
	out      string
	only     string // the one section that is written; empty for all
	rounds   int
	duration time.Duration
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if len(os.Args) > 2 && (os.Args[1] == "upstream" || os.Args[1] == "floor") {
		log.Fatal(serveTarget(context.Background(), os.Args[1], os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.bin, "bin", "bin/clawless", "the binary under test")
	flag.StringVar(&o.out, "out", "docs/benchmarks.md", "page whose tables are written again")
	flag.StringVar(&o.only, "only", "", "measure and write one section alone: conversations")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds, at most 20")
	flag.DurationVar(&o.duration, "duration", 4*time.Second, "length of one run, at most 30s")
	flag.Parse()
	if o.rounds < 1 || o.rounds > 20 || o.duration < 100*time.Millisecond || o.duration > 30*time.Second {
		log.Fatal("asked for more than its bounds: 1 to 20 rounds of 100ms to 30s")
	}
	if o.only != "" && o.only != conversationSection {
		log.Fatalf("there is no section %q to write alone; there is %s", o.only, conversationSection)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		stop()
		log.Fatal(err)
	}
}

// serveTarget is the process under test's neighbour: the model server, or the floor in front of it. It writes its address to standard output.
func serveTarget(ctx context.Context, kind string, args []string) error {
	var h http.Handler = upstream.New(streamTokens)
	if kind == "floor" {
		up, err := url.Parse(args[0])
		if err != nil || !net.ParseIP(up.Hostname()).IsLoopback() {
			return errors.New("the upstream must be a URL on a loopback IP")
		}
		h = floor.New(up)
	}
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(ln)
}

func run(ctx context.Context, o options) error {
	if o.only == "" {
		if err := runGateway(ctx, o); err != nil {
			return err
		}
	}
	return runConversations(ctx, o)
}

// runGateway measures all that needs a server process, and writes the first section.
func runGateway(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "clawless-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := openRig(ctx, o.bin, dir)
	if err != nil {
		return err
	}
	defer r.close()
	start, err := measureStart(ctx, r.server)
	if err != nil {
		return fmt.Errorf("start-up: %w", err)
	}
	log.Printf("start-up: ready after %.1f ms, --help %.1f ms, %.1f MB resident", start.ready, start.help, start.idle)
	added, err := measureAdded(ctx, o.rounds)
	if err != nil {
		return err
	}
	log.Printf("routing, metering and receipt: p50 %.3f ms, p99 %.3f ms", added.p50, added.p99)
	tables, err := measureGateway(ctx, r, o)
	if err != nil {
		return err
	}
	return writeReport(o, start, added, tables)
}
