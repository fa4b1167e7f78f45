package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/clawless/clawless/server/chat/admit"
	"github.com/clawless/clawless/server/chat/peers"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/jobs"
	"github.com/clawless/clawless/server/keys"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/replays"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tools/approvals"
	"github.com/clawless/clawless/server/widgets"
)

// settleTime is how long ended streams and their records may take after the drain's patience is over.
const settleTime = 5 * time.Second

// Run serves until ctx ends, then drains: new work is refused, answers under way may go on for drain_timeout, then each ends with a final event. It returns nil after
// a complete drain. ready is told the address once requests are answered.
func (s *Server) Run(ctx context.Context, ready func(addr string)) error {
	ln, err := listen(ctx, s.cfg.Addr)
	if err != nil {
		return err
	}
	defer ln.Close() // for the ways out before it is served; later it is closed already
	mln, err := s.listenMetrics(ctx)
	if err != nil {
		return err
	}
	defer mln.Close()
	if err := s.recover(ctx); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { jobs.Run(background, s.log, s.jobs()...) })
	main, failed := s.httpServer(s.api), make(chan error, 2)
	servers := []*http.Server{main}
	go func() { failed <- s.serve(main, ln) }()
	if s.cfg.MetricsAddr != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", s.metricsPage())
		metrics := s.httpServer(mux)
		servers = append(servers, metrics)
		s.log.Info("serving metrics", "addr", mln.Addr().String())
		go func() { failed <- metrics.Serve(mln) }()
	}
	ready(ln.Addr().String())
	select {
	case err = <-failed:
		err = fmt.Errorf("serving on %s ended: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.drain(context.WithoutCancel(ctx), servers)
	stop()
	wg.Wait()
	return err
}

// listenMetrics listens on metrics_addr; without one it returns a listener that is closed.
func (s *Server) listenMetrics(ctx context.Context) (net.Listener, error) {
	if s.cfg.MetricsAddr == "" {
		return closed{}, nil
	}
	return listen(ctx, s.cfg.MetricsAddr)
}

// closed stands in for a listener that nobody asked for.
type closed struct{ net.Listener }

// Close implements net.Listener.
func (closed) Close() error { return nil }

func (s *Server) httpServer(h http.Handler) *http.Server {
	// No WriteTimeout: it would cut every long stream. Each stream moves its own deadline.
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
}

func (s *Server) serve(srv *http.Server, ln net.Listener) error {
	if s.cfg.TLSCert != "" {
		return srv.ServeTLS(ln, s.cfg.TLSCert, s.cfg.TLSKey)
	}
	return srv.Serve(ln)
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("another program listens on %s; stop it, or choose another address with --addr: %w", addr, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("this user may not listen on %s; choose a port above 1023 with --addr: %w", addr, err)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s; check --addr: %w", addr, err)
	}
	return ln, nil
}

// recover puts right what a killed server left: runs without an end, reservations without a call, claims without an answer.
func (s *Server) recover(ctx context.Context) error {
	alone := s.db.Dialect() == db.SQLite // its lock makes sure of it; on Postgres other replicas may be at work, and leases decide
	var interrupted int64
	err := s.db.Write(ctx, func(q db.Querier) (err error) {
		if alone {
			if err := replays.Release(ctx, q); err != nil {
				return err
			}
		}
		interrupted, err = runs.Interrupt(ctx, q, alone, time.Now())
		return err
	})
	if err != nil {
		return err
	}
	settled, err := s.sweep(ctx, alone)
	if interrupted > 0 || settled > 0 {
		s.log.Info("recovered after an unclean stop", "interrupted_runs", interrupted, "settled_reservations", settled)
	}
	return err
}

// sweep settles the reservations of calls whose server is gone and returns how many there were.
func (s *Server) sweep(ctx context.Context, everything bool) (settled int, err error) {
	for {
		now := time.Now()
		var lost []quotas.Dead
		err := s.db.Read(ctx, func(q db.Querier) (err error) {
			lost, err = quotas.Lost(ctx, q, everything, now)
			return err
		})
		if err != nil || len(lost) == 0 {
			return settled, err
		}
		together := 1
		if everything { // nobody else is there, and the start should not take long
			together = len(lost)
		}
		for some := range slices.Chunk(lost, together) {
			if err := s.db.Write(ctx, func(q db.Querier) error { return bury(ctx, q, some, now) }); err != nil {
				return settled, err
			}
			settled += len(some)
		}
	}
}

func bury(ctx context.Context, q db.Querier, lost []quotas.Dead, now time.Time) error {
	for _, d := range lost {
		if err := quotas.Bury(ctx, q, d, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) jobs() []jobs.Job {
	list := []jobs.Job{
		{Name: "key use", Every: 10 * time.Second, Run: s.ring.Flush},
		{Name: "late records", Every: 2 * time.Second, Limit: time.Minute, Run: s.chat.Pay},
		{Name: "finished runs", Every: 30 * time.Second, Run: s.hub.Sweep},
		{Name: "run leases", Every: 6 * time.Second, Run: s.renew},
		{Name: "lost runs", Every: 5 * time.Second, Run: s.interrupt},
		{Name: "dead reservations", Every: time.Minute, Run: func(ctx context.Context) error {
			_, err := s.sweep(ctx, false)
			return err
		}},
		{Name: "old decisions", Every: time.Hour, Run: s.pruneDecisions},
		{Name: "texts without an index", Every: 5 * time.Second, Limit: time.Minute, Run: s.indexOld},
		{Name: "old sends", Every: time.Hour, Run: s.forgetSends},
		{Name: "old approvals", Every: time.Minute, Run: s.expireApprovals},
		{Name: "old sessions", Every: time.Hour, Limit: 10 * time.Minute, Run: s.keeper().RunAll},
		{Name: "old replays", Every: time.Hour, Run: s.book.Prune},
	}
	if s.db.Dialect() == db.Postgres {
		list = append(list, jobs.Job{Name: "revoked callers", Every: 3 * time.Second, Run: s.dismiss},
			jobs.Job{Name: "runs cancelled elsewhere", Every: 500 * time.Millisecond, Run: s.heed})
	}
	return list
}

func (s *Server) interrupt(ctx context.Context) error {
	return s.db.Write(ctx, func(q db.Querier) error {
		_, err := runs.Interrupt(ctx, q, false, time.Now())
		return err
	})
}

// indexOld makes texts from before there was a search findable, some at a time, until there are none left.
func (s *Server) indexOld(ctx context.Context) error {
	if s.indexed.Load() {
		return nil
	}
	more, err := sessions.IndexOld(ctx, s.db)
	s.indexed.Store(err == nil && !more)
	return err
}

// forgetSends drops the record of messages between sessions that nobody repeats any more.
func (s *Server) forgetSends(ctx context.Context) error {
	return s.db.Write(ctx, func(q db.Querier) error {
		_, err := peers.Sweep(ctx, q, time.Now())
		return err
	})
}

// expireApprovals marks what nobody approved in time.
func (s *Server) expireApprovals(ctx context.Context) error {
	return s.db.Write(ctx, func(q db.Querier) error {
		_, err := approvals.Sweep(ctx, q, time.Now())
		return err
	})
}

// heed stops the runs that another replica was told to cancel.
func (s *Server) heed(ctx context.Context) error {
	if len(s.hub.Active()) == 0 {
		return nil
	}
	var asked []string
	err := s.db.Read(ctx, func(q db.Querier) (err error) {
		asked, err = runs.Asked(ctx, q, s.node)
		return err
	})
	if len(asked) > 0 {
		s.hub.StopWhere(func(r runs.Run) bool { return slices.Contains(asked, r.ID) }, runs.ErrCancelled)
	}
	return err
}

// dismiss ends the work of callers whom another replica has revoked or suspended. Their next request is refused within a second; what they have under way within some.
func (s *Server) dismiss(ctx context.Context) error {
	holders := s.chat.Holders()
	if len(holders) == 0 {
		return nil
	}
	gone := map[admit.Holder]bool{}
	err := s.db.Read(ctx, func(q db.Querier) error {
		for _, h := range holders {
			serves := keys.Serves
			if strings.HasPrefix(h.KeyID, ids.Widget) {
				serves = widgets.Serves
			}
			ok, err := serves(ctx, q, h.TenantID, h.KeyID)
			if err != nil {
				return err
			}
			gone[h] = !ok
		}
		return nil
	})
	s.chat.Stop(func(h admit.Holder) bool { return gone[h] }, errRevoked)
	return err
}

// renew says that this server's runs are alive; with none there is nothing to write.
func (s *Server) renew(ctx context.Context) error {
	if len(s.hub.Active()) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(q db.Querier) error { return runs.Renew(ctx, q, s.node, time.Now()) })
}

// drain ends the server: work first, then connections. The listener stays open meanwhile, so that /readyz can say 503 and nobody is refused a connection.
func (s *Server) drain(ctx context.Context, servers []*http.Server) {
	s.log.Info("draining", "limit", s.cfg.DrainTimeout.String(), "runs", len(s.hub.Active()))
	s.finishWork(ctx)
	if left := len(s.chat.Holders()); left > 0 {
		s.log.Error("some answers did not end when they were told to", "callers", left)
	}
	last, cancelLast := context.WithTimeout(ctx, settleTime)
	defer cancelLast()
	for _, srv := range servers {
		if srv.Shutdown(last) != nil {
			_ = srv.Close()
		}
	}
	if err := errors.Join(s.chat.Pay(last), s.ring.Flush(last), s.hub.Keep(last)); err != nil {
		s.log.Error("not everything could be written", "error", err.Error())
	}
	s.hub.Close()
	s.tooling.set.Close()
	s.shared.close()
	s.log.Info("stopped")
}

// finishWork waits for the answers under way, then for those that drain_timeout has ended to settle. What has not ended even then must not keep the server from stopping.
func (s *Server) finishWork(ctx context.Context) {
	patience, cancel := context.WithTimeout(ctx, s.cfg.DrainTimeout)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.hub.Drain(patience) })
	wg.Go(func() { s.chat.Drain(patience) })
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(s.cfg.DrainTimeout + settleTime):
		s.log.Error("some answers did not end; stopping without them", "runs", len(s.hub.Active()))
	}
}

// AdminKeyFile is where a server on SQLite keeps its operator's key.
const AdminKeyFile = "admin.key"

// EnsureAdmin makes sure that there is an admin key and returns it when this machine can know it: from given, from the file in the data folder, or newly made and
// written there with mode 0600. A lost file is replaced by a new key on SQLite, where whoever can start the server owns the database anyway.
func (s *Server) EnsureAdmin(ctx context.Context, given string) (string, error) {
	path := filepath.Join(s.cfg.DataDir, AdminKeyFile)
	if given == "" {
		if b, err := os.ReadFile(path); err == nil {
			given = strings.TrimSpace(string(b))
			if !ids.ValidSecret(ids.AdminKey, given) {
				return "", fmt.Errorf("%s does not hold an admin key; remove the file, and the next start makes a new key", path)
			}
		}
	}
	made, err := s.ring.EnsureAdmin(ctx, given, s.db.Dialect() == db.SQLite)
	if err != nil || made == "" {
		return given, err
	}
	if err := os.MkdirAll(s.cfg.DataDir, 0o700); err != nil {
		return "", fmt.Errorf("write the admin key: %w", err)
	}
	if err := os.WriteFile(path, []byte(made+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write the admin key: %w", err)
	}
	return made, nil
}
