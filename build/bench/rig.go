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
	r.server, err = lab.New(bin, filepath.Join(dir, "server"), "CLAWLESS_PROVIDERS_BENCH_BASE_URL="+r.upstream.URL+"/v1", "CLAWLESS_PROVIDERS_BENCH_API_KEY=unused")
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
