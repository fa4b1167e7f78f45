package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/clawless/clawless/build/bench/lab"
	"github.com/clawless/clawless/build/bench/load"
)

const startRuns = 11

// startFigures are medians: milliseconds and MiB.
type startFigures struct {
	ready, help float64
	idle        float64 // resident memory three seconds after the start
	size        float64 // of the binary
}

// measureStart stops the server and starts it again on its database, several times; the last one stays.
func measureStart(ctx context.Context, s *lab.Server) (f startFigures, err error) {
	var ready, idle, help []float64
	for range startRuns {
		s.Stop()
		began := time.Now()
		if err := s.Start(ctx); err != nil {
			return f, err
		}
		ready = append(ready, milliseconds(time.Since(began)))
	}
	time.Sleep(3 * time.Second) // what a start leaves behind is collected by then
	idle = append(idle, load.ResidentMB(s.PID()))
	for range startRuns {
		cmd := exec.CommandContext(ctx, s.Bin, "--help")
		cmd.Stdout, cmd.Env = io.Discard, lab.CleanEnv()
		began := time.Now()
		if err := cmd.Run(); err != nil {
			return f, errors.New("clawless --help failed: " + err.Error())
		}
		help = append(help, milliseconds(time.Since(began)))
	}
	info, err := os.Stat(s.Bin)
	if err != nil {
		return f, err
	}
	return startFigures{load.Median(ready), load.Median(help), load.Median(idle), float64(info.Size()) / (1 << 20)}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
