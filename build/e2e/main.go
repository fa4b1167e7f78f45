// Command e2e runs a real language model on this machine behind the real server and talks to it with OpenAI's official Go SDK, with only the base URL changed.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/clawless/clawless/build/bench/lab"
	"github.com/clawless/clawless/build/bench/page"
	"github.com/clawless/clawless/build/e2e/gguf"
)

// options are what a run is asked for.
type options struct {
	bin    string
	python string
	gemma  string
	out    string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("e2e: ")
	var o options
	flag.StringVar(&o.bin, "bin", "bin/clawless", "the binary under test")
	flag.StringVar(&o.python, "python", "", "a Python with llama-cpp-python[server]")
	flag.StringVar(&o.gemma, "gemma", "", "the GGUF file of a real model")
	flag.StringVar(&o.out, "out", "docs/e2e-llm.md", "page whose record is written again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	if err := run(ctx, o); err != nil {
		cancel()
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "clawless-e2e-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tiny := filepath.Join(dir, "tiny.gguf")
	if err := writeTiny(tiny); err != nil {
		return err
	}
	var record strings.Builder
	for _, m := range []model{
		{provider: "gemma", name: "gemma-3-270m", title: "Gemma 3, 270M, Q4_K_M", file: o.gemma, format: "alpaca"},
		{provider: "tiny", name: "tiny-random", title: "A random model of two layers", file: tiny},
	} {
		log.Printf("%s: starting", m.title)
		got, err := m.exercise(ctx, o, filepath.Join(dir, m.provider))
		if err != nil {
			return fmt.Errorf("%s: %w", m.title, err)
		}
		text := got.markdown(m)
		fmt.Print(text)
		record.WriteString(text)
	}
	return page.Write(o.out, "Command: `make e2e-llm`.\n"+record.String())
}

func writeTiny(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := gguf.Write(f, 7); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// model is one model file and the name of the provider that serves it.
type model struct {
	provider, name, title, file string
	format                      string // how the engine puts a conversation into words; empty: as the file says
}

// exercise starts an engine with the model and Clawless in front of it, and talks through both.
func (m model) exercise(ctx context.Context, o options, dir string) (a answers, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return a, err
	}
	engine, err := startEngine(ctx, o.python, m, dir)
	if err != nil {
		return a, err
	}
	defer engine.proc.Stop()
	server, err := lab.New(o.bin, dir, "CLAWLESS_PROVIDERS_"+strings.ToUpper(m.provider)+"_BASE_URL="+engine.url+"/v1",
		"CLAWLESS_PROVIDERS_"+strings.ToUpper(m.provider)+"_API_KEY=unused")
	if err != nil {
		return a, err
	}
	if err := server.Start(ctx); err != nil {
		return a, err
	}
	defer server.Stop()
	key, err := server.NewTenant(ctx, "acme", 1<<40)
	if err != nil {
		return a, err
	}
	if a, err = converse(ctx, server.URL, key, m.provider+"/"+m.name); err != nil {
		return a, fmt.Errorf("%w\nengine: %s\nserver: %s", err, engine.log(), server.Log())
	}
	a.engine = engine.version
	return a, nil
}
