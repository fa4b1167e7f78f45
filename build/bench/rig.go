package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/clawless/clawless/build/bench/lab"
)

// rig is everything that runs during a measurement.
type rig struct {
	upstream *lab.Process
	floor    *lab.Process
	server   *lab.Server
}

func openRig(ctx context.Context, bin, dir string) (*rig, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &rig{}
	if r.upstream, err = lab.StartProcess(ctx, self, "upstream", "-"); err != nil {
		return nil, err
	}
	if r.floor, err = lab.StartProcess(ctx, self, "floor", r.upstream.URL); err != nil {
		r.close()
		return nil, err
	}
	prices := filepath.Join(dir, "prices.json")
	if err = os.WriteFile(prices, []byte(`{"models": {"bench/*": {"class": "small", "input": 150000, "output": 600000, "tools": true}}}`), 0o600); err == nil {
		r.server, err = lab.New(bin, filepath.Join(dir, "server"), "CLAWLESS_PROVIDERS_BENCH_BASE_URL="+r.upstream.URL+"/v1", "CLAWLESS_PROVIDERS_BENCH_API_KEY=unused",
			"CLAWLESS_PRICES_FILE="+prices, "CLAWLESS_AUTO_WEAK=bench/gpt-4o-mini", "CLAWLESS_AUTO_STRONG=bench/gpt-4o")
	}
	if err == nil {
		err = r.server.Start(ctx)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// close ends every process.
func (r *rig) close() {
	if r.server != nil {
		r.server.Stop()
	}
	if r.floor != nil {
		r.floor.Stop()
	}
	r.upstream.Stop()
}
