package main

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/build/bench/floor"
	"github.com/clawless/clawless/build/bench/h1"
	"github.com/clawless/clawless/build/bench/load"
	"github.com/clawless/clawless/build/bench/upstream"
)

// TestFloorUnderLoad drives the model server through the floor as a measurement does and wants every token of every stream.
func TestFloorUnderLoad(t *testing.T) {
	model := upstream.New(streamTokens)
	up := httptest.NewServer(model)
	defer up.Close()
	upURL, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(floor.New(upURL))
	defer proxy.Close()

	for _, m := range modes(options{duration: 200 * time.Millisecond}) {
		req, err := request(proxy.URL, "gpt-4o-mini", "", nil, m.stream)
		if err != nil {
			t.Fatal(err)
		}
		stats, err := load.Run(load.Target{Next: func() (*h1.Request, error) { return req, nil }}, m.load)
		if err != nil {
			t.Fatal(err)
		}
		if stats.N == 0 || stats.Errors != 0 || stats.P50 <= 0 || stats.P99 < stats.P50 {
			t.Errorf("%s: %+v", m.name, stats)
		}
		if m.stream && (stats.TokensPS < stats.PerSecond*streamTokens*0.99 || stats.Lag50 <= 0) {
			t.Errorf("%s: tokens are missing: %+v", m.name, stats)
		}
	}
	plain, streams := model.Served()
	if plain == 0 || streams == 0 {
		t.Errorf("the model served %d plain and %d streams", plain, streams)
	}
}

// TestWrongAnswersAreErrors wants a gateway that drops tokens or answers 500 to be seen.
func TestWrongAnswersAreErrors(t *testing.T) {
	up := httptest.NewServer(upstream.New(streamTokens - 1))
	defer up.Close()
	stream, err := request(up.URL, "m", "", nil, true)
	if err != nil {
		t.Fatal(err)
	}
	cfg := load.Config{Conns: 1, Duration: 50 * time.Millisecond, Tokens: streamTokens}
	stats, err := load.Run(load.Target{Next: func() (*h1.Request, error) { return stream, nil }}, cfg)
	if err != nil || stats.Errors != stats.N || stats.N == 0 || !strings.Contains(stats.FirstErr, "199 tokens") {
		t.Errorf("a lost token was not seen: %+v, %v", stats, err)
	}
	lost, err := h1.Build(up.URL+"/nowhere", nil, []byte("{}"), false)
	if err != nil {
		t.Fatal(err)
	}
	stats, err = load.Run(load.Target{Next: func() (*h1.Request, error) { return lost, nil }}, cfg)
	if err != nil || stats.Errors != stats.N || !strings.Contains(stats.FirstErr, "status 404") {
		t.Errorf("a 404 was not seen: %+v, %v", stats, err)
	}
}

// TestSessionsTakeTurns wants a new session after every ten turns of a connection, and no session shared by two connections.
func TestSessionsTakeTurns(t *testing.T) {
	model := httptest.NewServer(upstream.New(streamTokens))
	defer model.Close()
	made := 0
	pool := &sessions{new: func() (string, error) { made++; return "ses", nil }}
	if err := pool.fill(2); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := pool.take(); err != nil {
			t.Fatal(err)
		}
	}
	if made != 5 {
		t.Errorf("%d sessions were made for 5 takers, 2 of them ahead", made)
	}
	taken := 0
	stats, err := load.Run(load.Target{Turns: sessionTurns, Next: func() (*h1.Request, error) {
		taken++
		return request(model.URL, "m", "ses", nil, false)
	}}, load.Config{Conns: 1, Duration: 100 * time.Millisecond})
	if err != nil || stats.Errors > 0 {
		t.Fatalf("%+v, %v", stats, err)
	}
	if want := (stats.N + sessionTurns - 1) / sessionTurns; taken != want {
		t.Errorf("%d turns used %d sessions, want %d", stats.N, taken, want)
	}
}

func TestReport(t *testing.T) {
	at := func(ps, p float64) load.Stats {
		return load.Stats{PerSecond: ps, P50: p, P99: p * 2, CPU: p * 100, RSS: 20}
	}
	tbl := table{
		mode:    mode{title: "JSON"},
		targets: []string{direct, floorName, clawless},
		rounds:  [][]load.Stats{{at(1000, 1), at(2000, 2), at(1000, 1)}, {at(500, 2), at(1000, 4), at(500, 2)}, {at(250, 4), at(500, 8), at(250, 4)}},
	}
	text := figures(options{rounds: 3, duration: time.Second}, startFigures{ready: 25.04}, addedFigures{0.04, 0.2}, []table{tbl})
	for _, want := range []string{"| 25.0 ms |", "| direct | 1000 | 1.00 | 1.000 | 2.000 | 0.000 | 0.000 | - | - | - |", "| Clawless | 250 | 0.25 | 4.000 | 8.000 | 3.000 | 6.000 | 400.0 | 2.00 | 20 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestConversations reads what Go prints for a benchmark, and wants each size compared with the one before it, and both databases.
func TestConversations(t *testing.T) {
	lite := "BenchmarkLongSession/sqlite/10/warm-2  300  3e6 ns/op  2.000 p50-ms  4.000 p99-ms\nBenchmarkLongSession/sqlite/1000/warm-2  300  3e6 ns/op  3.000 p50-ms  5.000 p99-ms\n"
	if _, err := readConversations([]byte(lite + "BenchmarkLongSession/postgres  --- SKIP\n")); err == nil || !strings.Contains(err.Error(), "1 of 2 databases") {
		t.Errorf("a database without figures was not missed: %v", err)
	}
	list, err := readConversations([]byte("goos: linux\n" + lite + "BenchmarkListSessions/postgres/100000/first-16 \t 300\t 1373721 ns/op\t 1.374 p50-ms\t 1.6e+01 p99-ms\nPASS\n"))
	if err != nil {
		t.Fatal(err)
	}
	text := conversationFigures(list)
	for _, want := range []string{"| the first page | Postgres | 100000 | 1.37 | 16.00 | - | - |\n", "| conversation in memory | SQLite | 10 | 2.00 | 4.00 | - | - |\n",
		"| conversation in memory | SQLite | 1000 | 3.00 | 5.00 | 1.50 | 1.25 |\n"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
