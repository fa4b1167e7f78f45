package version

import (
	"context"
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

func TestInfo(t *testing.T) {
	build := &debug.BuildInfo{
		Main:     debug.Module{Version: "v1.4.0"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0a1b2c3d4e5f"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-03-01T12:00:00Z"}},
	}
	where := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	for _, tt := range []struct {
		release string
		build   *debug.BuildInfo
		want    string
	}{
		{"1.5.0", build, "clawless 1.5.0 (commit 0a1b2c3 and changes, " + where},
		{"", build, "clawless 1.4.0 (commit 0a1b2c3 and changes, " + where},
		{"", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "clawless dev (" + where},
		{"", nil, "clawless dev (" + where},
		{"", &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0a1"}}}, "clawless dev (commit 0a1, " + where},
	} {
		if got := infoOf(tt.release, tt.build).String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestCommand(t *testing.T) {
	run := func(line ...string) string {
		f := cli.NewFake(t.TempDir())
		root := &cobra.Command{Use: "clawless", Short: "root"}
		root.AddCommand(New(f.Env))
		if code := cli.Execute(context.Background(), f.Env, root, append([]string{"version"}, line...)); code != cli.ExitOK {
			t.Errorf("%v: %d, %s", line, code, f.Stderr)
		}
		return f.Stdout.String()
	}
	if got := run(); got != Get().String()+"\n" || !strings.HasPrefix(got, "clawless ") {
		t.Errorf("got %q", got)
	}
	if got := run("-q"); got != Get().Version+"\n" {
		t.Errorf("quietly: %q", got)
	}
	var info Info
	if err := json.Unmarshal([]byte(run("-o", "json")), &info); err != nil || info != Get() {
		t.Errorf("got %+v, %v", info, err)
	}
}
