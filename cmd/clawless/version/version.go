// Package version is `clawless version`: which build of the product this is.
package version

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

// Version is the release, set by the build with -ldflags "-X github.com/clawless/clawless/cmd/clawless/version.Version=1.2.3".
var Version = ""

// Info is what a build knows of itself.
type Info struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`   // empty when it was not built from a repository
	Modified bool   `json:"modified"` // whether files differed from the commit
	Built    string `json:"built"`    // time of the commit, RFC 3339; empty like Commit
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// Get returns what this build knows of itself.
func Get() Info {
	build, _ := debug.ReadBuildInfo()
	return infoOf(Version, build)
}

func infoOf(release string, build *debug.BuildInfo) Info {
	info := Info{Version: release, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if build != nil {
		if info.Version == "" && build.Main.Version != "(devel)" {
			info.Version = strings.TrimPrefix(build.Main.Version, "v")
		}
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				info.Commit = s.Value
			case "vcs.modified":
				info.Modified = s.Value == "true"
			case "vcs.time":
				info.Built = s.Value
			}
		}
	}
	if info.Version == "" {
		info.Version = "dev"
	}
	return info
}

// String is the build in one line, such as "clawless 1.2.3 (commit 0a1b2c3, go1.26.8, linux/amd64)".
func (i Info) String() string {
	parts := []string{}
	if i.Commit != "" {
		commit := "commit " + i.Commit[:min(len(i.Commit), 7)]
		if i.Modified {
			commit += " and changes"
		}
		parts = append(parts, commit)
	}
	parts = append(parts, i.Go, i.OS+"/"+i.Arch)
	return fmt.Sprintf("clawless %s (%s)", i.Version, strings.Join(parts, ", "))
}

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "version",
		Short:   "Print which version this is",
		Example: "clawless version\nclawless version --quiet",
		Run: func(context.Context, []string) error {
			info := Get()
			line := info.String()
			if env.Flags.Quiet {
				line = info.Version
			}
			return env.Printer().Value(info, line)
		},
	}.Command()
}
