package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strings"
	"sync"

	"github.com/clawless/clawless/build/bench/h1"
	"github.com/clawless/clawless/build/bench/load"
)

// sessionTurns is how many turns a session gets before the next one is taken, so that its history stays that of a conversation.
const sessionTurns = 10

// mode is one way of loading the targets.
type mode struct {
	name   string
	title  string
	stream bool
	load   load.Config
}

func modes(o options) []mode {
	cfg := load.Config{Duration: o.duration, Warmup: o.duration / 4}
	paced, closed, stream := cfg, cfg, cfg
	paced.Conns, paced.Rate = 16, 200
	closed.Conns = 16
	stream.Conns, stream.Tokens = 8, streamTokens
	return []mode{
		{"paced", "JSON, 200 requests a second over 16 connections", false, paced},
		{"closed", "JSON, 16 connections as fast as they can", false, closed},
		{"stream", "Streams of 200 tokens, 8 connections as fast as they can", true, stream},
	}
}

// table is what one mode showed: for each target the figures of its rounds, in the order of the targets.
type table struct {
	mode    mode
	targets []string
	rounds  [][]load.Stats
}

// measureGateway runs every mode over every target. Inside a round the targets run one after another, in an order that rotates.
func measureGateway(ctx context.Context, r *rig, o options) (tables []table, err error) {
	key, err := r.server.NewTenant(ctx, "bench", 1<<50)
	if err != nil {
		return nil, err
	}
	for _, m := range modes(o) {
		targets, err := r.targets(ctx, m, key)
		if err != nil {
			return nil, err
		}
		t := table{mode: m, rounds: make([][]load.Stats, len(targets))}
		for _, target := range targets {
			t.targets = append(t.targets, target.Name)
		}
		for round := range o.rounds {
			for i := range targets {
				at := (i + round) % len(targets)
				stats, err := load.Run(targets[at], m.load)
				if err != nil {
					return nil, err
				}
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				if stats.Errors > 0 {
					return nil, fmt.Errorf("%s, %s: %d of %d requests failed: %s", m.name, targets[at].Name, stats.Errors, stats.N, stats.FirstErr)
				}
				t.rounds[at] = append(t.rounds[at], stats)
				log.Printf("%-6s round %d/%d  %-22s %7.0f/s  p50 %.3f ms  p99 %.3f ms  cpu %.0f us", m.name, round+1, o.rounds, targets[at].Name, stats.PerSecond, stats.P50, stats.P99, stats.CPU)
			}
		}
		tables = append(tables, t)
	}
	return tables, nil
}

const (
	direct      = "direct"
	floorName   = "ReverseProxy (floor)"
	clawless    = "Clawless"
	routed      = "Clawless, model auto"
	withSession = "Clawless, in a session"
)

func (r *rig) targets(ctx context.Context, m mode, key string) (targets []load.Target, err error) {
	auth := map[string]string{"Authorization": "Bearer " + key}
	for _, t := range []struct {
		name, url, model string
		pid              int
	}{
		{direct, r.upstream.URL, "gpt-4o-mini", 0},
		{floorName, r.floor.URL, "gpt-4o-mini", r.floor.PID()},
		{clawless, r.server.URL, "bench/gpt-4o-mini", r.server.PID()},
		{routed, r.server.URL, "auto", r.server.PID()},
	} {
		req, err := request(t.url, t.model, "", auth, m.stream)
		if err != nil {
			return nil, err
		}
		targets = append(targets, load.Target{Name: t.name, PID: t.pid, Next: func() (*h1.Request, error) { return req, nil }})
	}
	pool := &sessions{new: func() (string, error) { return r.server.NewSession(ctx, key) }}
	if err := pool.fill(sessionsFor(m)); err != nil {
		return nil, err
	}
	return append(targets, load.Target{Name: withSession, PID: r.server.PID(), Turns: sessionTurns, Next: func() (*h1.Request, error) {
		id, err := pool.take()
		if err != nil {
			return nil, err
		}
		return request(r.server.URL, "bench/gpt-4o-mini", id, auth, m.stream)
	}}), nil
}

// sessionsFor guesses how many sessions a mode uses in its first rounds; more are made as they are needed.
func sessionsFor(m mode) int {
	rate := m.load.Rate
	if rate == 0 {
		rate = 600
	}
	if m.stream {
		rate = 60
	}
	seconds := (m.load.Duration + m.load.Warmup).Seconds()
	return m.load.Conns + int(rate*seconds/sessionTurns)
}

// sessions hands out fresh sessions. Those made ahead keep the making out of the measurement.
type sessions struct {
	new   func() (string, error)
	mu    sync.Mutex
	ready []string
}

func (s *sessions) fill(n int) error {
	for range n {
		id, err := s.new()
		if err != nil {
			return err
		}
		s.ready = append(s.ready, id)
	}
	return nil
}

func (s *sessions) take() (string, error) {
	s.mu.Lock()
	if n := len(s.ready); n > 0 {
		id := s.ready[n-1]
		s.ready = s.ready[:n-1]
		s.mu.Unlock()
		return id, nil
	}
	s.mu.Unlock()
	return s.new()
}

// request is a chat completion of 32 words.
func request(base, model, session string, headers map[string]string, stream bool) (*h1.Request, error) {
	body := map[string]any{
		"model":      model,
		"max_tokens": 512, // without a limit of its own an answer would be streamed from the provider, so that a budget can end it
		"messages": []any{
			map[string]any{"role": "user", "content": strings.TrimSpace(strings.Repeat("word ", 32))},
		},
	}
	if stream {
		body["stream"] = true
	}
	if session != "" {
		body["session_id"] = session
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return h1.Build(base+"/v1/chat/completions", headers, b, stream)
}
