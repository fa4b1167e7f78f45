// Package load drives one OpenAI-compatible server on loopback with a bounded load and says what it cost: latency, throughput, CPU time and memory.
package load

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clawless/clawless/build/bench/h1"
)

// Target is one server under load.
type Target struct {
	Name string
	PID  int // for CPU time and memory; 0: not measured
	// Next gives the request that a connection sends for its next Turns turns; a request that needs no session is always the same. It is called from many
	// goroutines at once.
	Next  func() (*h1.Request, error)
	Turns int // 0: for ever
}

// Config is what one run is made with.
type Config struct {
	Conns    int
	Rate     float64 // requests a second, spread evenly over the connections; 0: each sends as soon as it has its answer
	Duration time.Duration
	Warmup   time.Duration
	Tokens   int // tokens that every stream must hold; 0: not a stream
}

const (
	timeout = 30 * time.Second
	maxLags = 1 << 16 // token lags kept for each connection
)

// Run loads the target for the warm-up and then, measured, for the duration. Failed requests are counted and do not end it.
func Run(t Target, cfg Config) (Stats, error) {
	if cfg.Duration > 2*time.Minute || cfg.Conns > 2000 || cfg.Rate > 100000 || cfg.Conns < 1 {
		return Stats{}, errors.New("load: asked for more than its bounds (2 minutes, 1 to 2000 connections, 100000 requests a second)")
	}
	workers := make([]*worker, cfg.Conns)
	for i := range workers {
		workers[i] = &worker{target: &t}
	}
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	drive(cfg, workers, cfg.Warmup)
	for _, w := range workers {
		w.reset()
	}
	cpu, start := CPUTime(t.PID), time.Now()
	drive(cfg, workers, cfg.Duration)
	return gather(t, workers, time.Since(start), CPUTime(t.PID)-cpu), nil
}

// drive loads the target for d.
func drive(cfg Config, workers []*worker, d time.Duration) {
	var wg sync.WaitGroup
	start := time.Now()
	stop := start.Add(d)
	for i, w := range workers {
		wg.Go(func() {
			if cfg.Rate == 0 {
				for time.Now().Before(stop) {
					w.turn(cfg)
				}
				return
			}
			// Every connection has its own evenly shifted schedule.
			gap := time.Duration(float64(len(workers)) / cfg.Rate * float64(time.Second))
			for due := start.Add(gap * time.Duration(i) / time.Duration(len(workers))); due.Before(stop); due = due.Add(gap) {
				time.Sleep(time.Until(due))
				w.turn(cfg)
			}
		})
	}
	wg.Wait()
}

// worker holds one connection and what was seen on it.
type worker struct {
	target          *Target
	conn            *h1.Conn
	req             *h1.Request
	left            int
	took, ttft, lag []time.Duration
	n, errs, tokens int
	err             string
}

func (w *worker) reset() {
	w.took, w.ttft, w.lag = w.took[:0], w.ttft[:0], w.lag[:0]
	w.n, w.errs, w.tokens, w.err = 0, 0, 0, ""
}

func (w *worker) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

func (w *worker) fail(err error) {
	w.n++
	w.errs++
	if w.err == "" {
		w.err = err.Error()
	}
	w.close()
	time.Sleep(10 * time.Millisecond) // a server that refuses must not be hammered
}

// prepare has a connection and a request ready.
func (w *worker) prepare() (err error) {
	if w.req == nil || w.target.Turns > 0 && w.left == 0 {
		if w.req, err = w.target.Next(); err != nil {
			return err
		}
		w.left = w.target.Turns
	}
	w.left--
	if w.conn == nil {
		w.conn, err = h1.Dial(w.req.Addr)
	}
	return err
}

func (w *worker) turn(cfg Config) {
	if err := w.prepare(); err != nil {
		w.fail(err)
		return
	}
	start := time.Now()
	res, keep, err := w.conn.Do(w.req, timeout, func(d time.Duration) {
		if len(w.lag) < maxLags {
			w.lag = append(w.lag, d)
		}
	})
	took := time.Since(start)
	w.tokens += res.Tokens
	switch {
	case err != nil:
		w.fail(err)
		return
	case res.Status != 200:
		w.fail(fmt.Errorf("status %d: %s", res.Status, res.Body))
		return
	case !res.Done:
		w.fail(errors.New("answer cut short"))
		return
	case w.req.Stream && res.Tokens != cfg.Tokens:
		w.fail(fmt.Errorf("%d tokens, not %d", res.Tokens, cfg.Tokens))
		return
	}
	w.n++
	w.took = append(w.took, took)
	if w.req.Stream {
		w.ttft = append(w.ttft, res.First.Sub(start))
	}
	if !keep {
		w.close()
	}
}

func gather(t Target, workers []*worker, d, cpu time.Duration) (s Stats) {
	var took, ttft, lag []time.Duration
	var tokens int
	for _, w := range workers {
		took, ttft, lag = append(took, w.took...), append(ttft, w.ttft...), append(lag, w.lag...)
		s.N += w.n
		s.Errors += w.errs
		tokens += w.tokens
		if s.FirstErr == "" {
			s.FirstErr = w.err
		}
	}
	s.P50, s.P99 = quantile(took, .5), quantile(took, .99)
	s.First50, s.First99 = quantile(ttft, .5), quantile(ttft, .99)
	s.Lag50, s.Lag99 = quantile(lag, .5), quantile(lag, .99)
	done := s.N - s.Errors
	s.PerSecond, s.TokensPS = float64(done)/d.Seconds(), float64(tokens)/d.Seconds()
	if done > 0 {
		s.CPU = float64(cpu.Microseconds()) / float64(done)
	}
	if tokens > 0 {
		s.CPUToken = float64(cpu.Microseconds()) / float64(tokens)
	}
	s.RSS = ResidentMB(t.PID)
	return s
}
