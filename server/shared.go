package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/clawless/clawless/server/cache"
	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/redis"
	"github.com/clawless/clawless/server/runs"
)

// shared is what several servers have together beside the database; all of it is nil where there is one server.
type shared struct {
	redis *redis.Client
	bus   *redis.Bus
}

// share opens what the settings name. Nothing is connected to yet: a Redis that is away is no reason not to serve.
func share(cfg config.Settings, d *db.DB, log *slog.Logger) (shared, error) {
	if cfg.RedisURL == "" || d == nil {
		return shared{}, nil
	}
	if d.Dialect() == db.SQLite {
		return shared{}, errors.New("redis_url is set, but the database is a SQLite file, which one server alone can use; set database_url, or leave redis_url out")
	}
	r, err := redis.Open(redis.Options{URL: string(cfg.RedisURL), Log: log})
	if err != nil {
		return shared{}, err
	}
	return shared{r, redis.OpenBus(r)}, nil
}

// caches is the bus of caches: one server alone has nobody to hear, and of several without a Redis none hears the others.
func (s shared) caches(d *db.DB) cache.Bus {
	switch {
	case s.bus != nil:
		return s.bus
	case d != nil && d.Dialect() == db.Postgres:
		return cache.Deaf{}
	}
	return cache.Alone{}
}

// hub makes the hub of runs.
func (s shared) hub(cfg config.Settings, d *db.DB, log *slog.Logger) *runs.Hub {
	o := runs.Options{Retention: cfg.RunRetention, MaxBytes: keptEvents, DB: d, Early: d != nil && d.Dialect() == db.Postgres && s.redis == nil, Redis: s.redis, Log: log}
	if s.bus != nil { // a nil pointer in an interface would be no nil
		o.Bus = s.bus
	}
	return runs.New(o)
}

// ping says what is wrong with Redis, for /readyz.
func (s shared) ping(ctx context.Context) error {
	if s.redis == nil {
		return nil
	}
	if err := s.redis.Ping(ctx); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

func (s shared) close() {
	if s.bus != nil {
		s.bus.Close()
	}
	if s.redis != nil {
		_ = s.redis.Close() // there is nothing left to lose
	}
}
