package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// all reads every event of src as "name=data".
func all(src io.Reader) ([]string, error) {
	var out []string
	for r := NewReader(src); ; {
		ev, err := r.Next()
		if err != nil {
			return out, err
		}
		out = append(out, ev.Name+"="+string(ev.Data))
	}
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"LF", "data: a\n\ndata: b\n\n", []string{"=a", "=b"}},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"=a", "=b"}},
		{"CR", "data: a\r\rdata: b\r\r", []string{"=a", "=b"}},
		{"a mix", "data: a\r\n\ndata: b\n\rdata: c\r\r\n", []string{"=a", "=b", "=c"}},
		{"no space", "data:a\n\ndata:  b\n\n", []string{"=a", "= b"}},
		{"many lines", "data: a\ndata: b\ndata\ndata:c\n\n", []string{"=a\nb\n\nc"}},
		{"names", "event: ping\ndata: {}\n\nevent:x\ndata: 1\n\ndata: 2\nevent: late\n\n", []string{"ping={}", "x=1", "late=2"}},
		{"a name without data is no event", "event: ping\n\ndata: a\n\n", []string{"=a"}},
		{"comments and other fields", ": hello\n\n: x\nid: 4\nretry: 10\nfoo\ndata: a\n:\n\n", []string{"=a"}},
		{"empty data is no event", "data:\n\ndata: \n\ndata: a\n\n", []string{"=a"}},
		{"a byte order mark", "\xef\xbb\xbfdata: a\n\n", []string{"=a"}},
		{"no blank line at the end", "data: a\n\ndata: b\n", []string{"=a", "=b"}},
		{"no line end at the end", "data: a\n\ndata: b", []string{"=a", "=b"}},
		{"many blank lines", "\n\n\ndata: a\n\n\n\ndata: b\n\n", []string{"=a", "=b"}},
		{"nothing", "", nil},
		{"no events", "<html>\n<body>\n", nil},
		{"another separator is text", "data: a\u2028b\x85c\n\n", []string{"=a\u2028b\x85c"}},
	}
	for _, tt := range tests {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "halves": iotest.HalfReader, "with the end": iotest.DataErrReader} {
			got, err := all(wrap(strings.NewReader(tt.in)))
			if !errors.Is(err, io.EOF) || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
				t.Errorf("%s, %s: got %q, %v, want %q", tt.name, name, got, err, tt.want)
			}
		}
	}
}

// TestNothingIsAwaited checks that an event is there as soon as its blank line is.
func TestNothingIsAwaited(t *testing.T) {
	for _, in := range []string{"data: a\n\n", "data: a\r\r", "data: a\r\n\r", "event: x\ndata: a\ndata: b\n\n"} {
		r := NewReader(io.MultiReader(strings.NewReader(in), iotest.ErrReader(errors.New("read too far"))))
		if ev, err := r.Next(); err != nil || len(ev.Data) == 0 {
			t.Errorf("%q: got %q, %v", in, ev.Data, err)
		}
	}
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("ü", 2<<20)
	got, err := all(iotest.HalfReader(strings.NewReader("data: a\n\ndata: " + long + "\n\ndata: b\n\n")))
	if !errors.Is(err, io.EOF) || len(got) != 3 || got[1] != "="+long || got[2] != "=b" {
		t.Errorf("%d events, %v", len(got), err)
	}
}

// endless is a source that never ends.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

func TestLimits(t *testing.T) {
	if got, err := all(endless(strings.Repeat("x", 4096))); len(got) != 0 || !errors.Is(err, ErrEventTooLong) {
		t.Errorf("a line without an end: %d events, %v", len(got), err)
	}
	if got, err := all(endless(strings.Repeat("data: x\n", 512))); len(got) != 0 || !errors.Is(err, ErrEventTooLong) && !errors.Is(err, ErrStreamTooLong) {
		t.Errorf("an event without an end: %d events, %v", len(got), err)
	}
	if got, err := all(endless(strings.Repeat("data: 0123456789abcdef\n\n", 256))); len(got) == 0 || !errors.Is(err, ErrStreamTooLong) {
		t.Errorf("a stream without an end: %d events, %v", len(got), err)
	}
	r := NewReader(endless(strings.Repeat("x", 4096)))
	for range 3 {
		if _, err := r.Next(); !errors.Is(err, ErrEventTooLong) {
			t.Errorf("the error must stay: %v", err)
		}
	}
	if len(r.buf) > 2*MaxEvent+firstBuffer {
		t.Errorf("the buffer grew to %d", len(r.buf))
	}
	if _, err := all(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("data: a\n\n")))); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("the source's error must come through: %v", err)
	}
}

// reference reads a whole stream as its standard says it, to compare with.
func reference(in []byte) []string {
	in = bytes.TrimPrefix(in, []byte("\xef\xbb\xbf"))
	in = bytes.ReplaceAll(bytes.ReplaceAll(in, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	var out, data []string
	name := ""
	for _, line := range append(strings.Split(string(in), "\n"), "") {
		if line == "" {
			if s := strings.Join(data, "\n"); s != "" {
				out = append(out, name+"="+s)
			}
			data, name = nil, ""
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch key {
		case "data":
			data = append(data, value)
		case "event":
			name = value
		}
	}
	return out
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("data: a\r\n\r\ndata:b\n\nevent: x\rdata: {\"a\":1}\r\r: c\n\ndata\ndata: d"), uint8(3))
	f.Add([]byte("\xef\xbb\xbfdata: \xf0\x9f\x98\x80\ndata:\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		want := reference(in)
		got, err := all(&stepReader{in, int(step)%7 + 1})
		if !errors.Is(err, io.EOF) || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("got %q, %v\nwant %q", got, err, want)
		}
	})
}

// stepReader hands out n bytes at a time.
type stepReader struct {
	rest []byte
	n    int
}

func (s *stepReader) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.n)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func BenchmarkReader(b *testing.B) {
	body := bytes.Repeat([]byte("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word\"},\"finish_reason\":null}]}\n\n"), 200)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r := NewReader(bytes.NewReader(body))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
