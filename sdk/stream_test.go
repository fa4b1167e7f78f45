package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// plain is a Frame that outlives its step.
type plain struct{ ID, Event, Data string }

func frames(r io.Reader) (out []plain, err error) {
	for f, err := range Frames(r) {
		if err != nil {
			return out, err
		}
		out = append(out, plain{f.ID, f.Event, string(f.Data)})
	}
	return out, nil
}

// byTheBook reads a stream as the standard describes it, slowly and with the whole text at hand.
func byTheBook(stream string) (out []plain) {
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(strings.TrimPrefix(stream, "\ufeff"), "\n")
	var f plain
	var data []string
	for _, line := range lines[:len(lines)-1] { // what follows the last line break is cut
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != nil {
				out = append(out, plain{f.ID, f.Event, strings.Join(data, "\n")})
			}
			f.Event, data = "", nil
		case name == "data":
			data = append(data, value)
		case name == "event":
			f.Event = value
		case name == "id" && !strings.Contains(value, "\x00"):
			f.ID = value
		}
	}
	return out
}

func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []plain
	}{
		"one":                   {"data: a\n\n", []plain{{Data: "a"}}},
		"no space":              {"data:a\n\n", []plain{{Data: "a"}}},
		"one space goes":        {"data:  a\n\n", []plain{{Data: " a"}}},
		"ids last":              {"id: 1\ndata: a\n\ndata: b\n\nid: 3\ndata: c\n\n", []plain{{"1", "", "a"}, {"1", "", "b"}, {"3", "", "c"}}},
		"event's name does not": {"event: error\ndata: a\n\ndata: b\n\n", []plain{{"", "error", "a"}, {"", "", "b"}}},
		"two lines":             {"data: a\ndata: b\n\n", []plain{{Data: "a\nb"}}},
		"empty data":            {"data\n\n", []plain{{}}},
		"nothing in it":         {": hello\nretry: 10\n\n\n\nid: 4\n\ndata: a\n\n", []plain{{"4", "", "a"}}},
		"CR LF":                 {"data: a\r\n\r\ndata: b\r\n\r\n", []plain{{Data: "a"}, {Data: "b"}}},
		"CR":                    {"data: a\r\rdata: b\r\r", []plain{{Data: "a"}, {Data: "b"}}},
		"mixed ends":            {"data: a\r\ndata: b\rdata: c\n\r\n", []plain{{Data: "a\nb\nc"}}},
		"other separators":      {"data: a\u2028b\u2029c\u0085d\ve\f\n\n", []plain{{Data: "a\u2028b\u2029c\u0085d\ve\f"}}},
		"byte order mark":       {"\ufeffdata: a\n\n", []plain{{Data: "a"}}},
		"a mark later is text":  {"data: \ufeffa\n\n", []plain{{Data: "\ufeffa"}}},
		"cut event":             {"data: a\n\ndata: b\n", []plain{{Data: "a"}}},
		"cut line":              {"data: a\n\ndata: b", []plain{{Data: "a"}}},
		"cut between ends":      {"data: a\n\ndata: b\r\n\r", []plain{{Data: "a"}, {Data: "b"}}},
		"zero byte in id":       {"id: 1\nid: 2\x00\ndata: a\n\n", []plain{{"1", "", "a"}}},
		"empty":                 {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(c.in), "bytes": iotest.OneByteReader(strings.NewReader(c.in)), "early end": iotest.DataErrReader(strings.NewReader(c.in))} {
				got, err := frames(r)
				if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("%s: got %q, %v; want %q", how, got, err, c.want)
				}
			}
			if book := byTheBook(c.in); fmt.Sprint(book) != fmt.Sprint(c.want) {
				t.Errorf("the book says %q", book)
			}
		})
	}
}

// FuzzFrames cuts a stream at any byte: the frames must be those of the uncut stream, and those of the standard.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{"id: 1\ndata: {\"a\":1}\n\n", "data: a\r\n\r\n: x\r\rdata: b\n\n", "\ufeffdata\n\ndata:\n", "event: error\rdata: x\n\r\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, stream []byte, at int) {
		want := byTheBook(string(stream))
		cut := max(0, at) % (len(stream) + 1)
		for how, r := range map[string]io.Reader{
			"whole": bytes.NewReader(stream),
			"cut":   io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:])),
			"bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		} {
			got, err := frames(r)
			if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Fatalf("%s: got %q, %v; want %q", how, got, err, want)
			}
		}
	})
}

// TestFramesCutAnywhere does without the fuzzer what it would find first: every cut of a stream with all line ends, and long lines across the reader's buffer.
func TestFramesCutAnywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var stream strings.Builder
	for i := range 60 {
		end := []string{"\n", "\r\n", "\r"}[r.IntN(3)]
		fmt.Fprintf(&stream, "id: %d%sdata: %s%s%s", i, end, strings.Repeat("grün\u2028", r.IntN(40)), end, end)
	}
	text := stream.String()
	want := fmt.Sprint(byTheBook(text))
	for cut := range len(text) {
		got, err := frames(io.MultiReader(strings.NewReader(text[:cut]), strings.NewReader(text[cut:])))
		if err != nil || fmt.Sprint(got) != want {
			t.Fatalf("cut at %d: %v, %q", cut, err, got)
		}
	}
}

func TestFramesLong(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 1<<19) // 8 MiB
	got, err := frames(iotest.HalfReader(strings.NewReader("data: " + long + "\n\ndata: next\n\n")))
	if err != nil || len(got) != 2 || got[0].Data != long || got[1].Data != "next" {
		t.Fatalf("%d frames, %v", len(got), err)
	}
}

// endless gives an event that never ends.
type endless struct{ begun bool }

func (e *endless) Read(p []byte) (int, error) {
	if !e.begun {
		e.begun = true
		return copy(p, "data: "), nil
	}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestFramesTooLong(t *testing.T) {
	if _, err := frames(&endless{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("one line: %v", err)
	}
	line := "data: " + strings.Repeat("x", 1<<20) + "\n"
	lines := io.MultiReader(func() (all []io.Reader) {
		for range MaxFrame>>20 + 1 {
			all = append(all, strings.NewReader(line))
		}
		return all
	}()...)
	if _, err := frames(lines); !errors.Is(err, ErrMalformed) {
		t.Errorf("many lines: %v", err)
	}
}

func TestFramesBroken(t *testing.T) {
	broken := errors.New("reset")
	got, err := frames(io.MultiReader(strings.NewReader("data: a\n\ndata: b\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("%q, %v", got, err)
	}
	for range Frames(strings.NewReader("data: a\n\ndata: b\n\n")) {
		break // leaving must not panic
	}
}
