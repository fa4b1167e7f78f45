package cli

import (
	"bytes"
	"path/filepath"
	"time"
)

// Fake is an Env for tests: buffers for streams, a map for variables, a clock that stands still, and no terminal until a test says so.
type Fake struct {
	*Env
	Stdin  *bytes.Buffer
	Stdout *bytes.Buffer
	Stderr *bytes.Buffer
	Vars   map[string]string
}

// NewFake returns a Fake whose HOME is dir and whose working folder is dir/work; neither is created. A password is read as the next line of Stdin.
func NewFake(dir string) *Fake {
	f := &Fake{
		Stdin:  &bytes.Buffer{},
		Stdout: &bytes.Buffer{},
		Stderr: &bytes.Buffer{},
		Vars:   map[string]string{"HOME": dir},
	}
	no := func() bool { return false }
	f.Env = &Env{
		In:     f.Stdin,
		Out:    f.Stdout,
		Err:    f.Stderr,
		InTTY:  no,
		OutTTY: no,
		ErrTTY: no,
		Width:  func() int { return 0 },
		Now:    func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
		LookupEnv: func(name string) (string, bool) {
			v, ok := f.Vars[name]
			return v, ok
		},
		Environ: func() []string {
			out := make([]string, 0, len(f.Vars))
			for name, value := range f.Vars {
				out = append(out, name+"="+value)
			}
			return out
		},
		GOOS:         "linux",
		Dir:          filepath.Join(dir, "work"),
		ReadPassword: func() ([]byte, error) { line, err := f.readLine(); return []byte(line), err },
		SaveTTY:      func() func() { return func() {} },
	}
	return f
}

// Terminal makes all three streams of the Fake a terminal of that many columns.
func (f *Fake) Terminal(columns int) {
	yes := func() bool { return true }
	f.InTTY, f.OutTTY, f.ErrTTY = yes, yes, yes
	f.Width = func() int { return columns }
}
