package server

import (
	"context"
	"log/slog"
	"net"

	"github.com/clawless/clawless/server/config"
	"github.com/clawless/clawless/server/db"
)

// Started is a server that answers requests.
type Started struct {
	URL      string // for a client on this machine
	AdminKey string // empty when this machine does not know it
}

// Up opens the database, migrates it, wires a server and runs it until ctx ends and the drain is over. adminKey is registered when it is not empty. ready is called once requests are answered.
func Up(ctx context.Context, cfg config.Settings, version, adminKey string, log *slog.Logger, ready func(Started)) error {
	d, err := db.Open(ctx, db.Options{URL: string(cfg.DatabaseURL), Dir: cfg.DataDir, Migrate: true, Log: log})
	if err != nil {
		return err
	}
	s, err := New(cfg, d, version, log)
	if err == nil {
		var admin string
		if admin, err = s.EnsureAdmin(ctx, adminKey); err == nil {
			err = s.Run(ctx, func(addr string) { ready(Started{URL: localURL(cfg, addr), AdminKey: admin}) })
		}
	}
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

// localURL is how a client on this machine reaches the address: a listener on all addresses is reached through loopback.
func localURL(cfg config.Settings, addr string) string {
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return scheme + "://" + addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
