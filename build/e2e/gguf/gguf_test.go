package gguf

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"
)

// TestWriteIsReadBack reads the header as an engine does and wants every tensor to lie inside the file, aligned, without overlap, and exactly as large as it says.
func TestWriteIsReadBack(t *testing.T) {
	var file bytes.Buffer
	if err := Write(&file, 7); err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, b: file.Bytes()}
	if magic := r.bytes(4); string(magic) != "GGUF" {
		t.Fatalf("magic %q", magic)
	}
	version, tensors, fields := r.uint32(), r.uint64(), r.uint64()
	if version != 3 || tensors != 3+9*layers {
		t.Fatalf("version %d, %d tensors", version, tensors)
	}
	strings := map[string]int{}
	for range fields {
		key := r.string()
		strings[key] = r.value()
	}
	vocabulary := strings["tokenizer.ggml.tokens"]
	if vocabulary != firstWord+len(words) || strings["tokenizer.ggml.scores"] != vocabulary || strings["tokenizer.ggml.token_type"] != vocabulary {
		t.Errorf("%d tokens, %d scores, %d types", vocabulary, strings["tokenizer.ggml.scores"], strings["tokenizer.ggml.token_type"])
	}
	end, sizes := uint64(0), map[string]uint64{}
	for range tensors {
		name, size := r.string(), uint64(4)
		for range r.uint32() {
			size *= r.uint64()
		}
		kind, offset := r.uint32(), r.uint64()
		if kind != 0 || offset%alignment != 0 || offset != end {
			t.Errorf("%s: type %d at %d, want 0 at %d", name, kind, offset, end)
		}
		end, sizes[name] = offset+padded(int(size)), size
	}
	data := int(padded(r.at))
	if got := len(r.b) - data; got != int(end) {
		t.Errorf("%d bytes of tensors, the header says %d", got, end)
	}
	if sizes["output.weight"] != uint64(4*width*vocabulary) {
		t.Errorf("output has %d bytes", sizes["output.weight"])
	}
	checkOutput(t, r.b[data+int(sizes["token_embd.weight"])+4*width:], vocabulary)
}

// checkOutput wants the model unable to say anything but words.
func checkOutput(t *testing.T, output []byte, vocabulary int) {
	t.Helper()
	for token := range vocabulary {
		sum := 0.0
		for i := range width {
			bits := binary.LittleEndian.Uint32(output[4*(token*width+i):])
			sum += math.Abs(float64(math.Float32frombits(bits)))
		}
		if (sum > 0) != (token >= firstWord) {
			t.Fatalf("row of token %d has weight %v", token, sum)
		}
	}
}

func TestSeedDecides(t *testing.T) {
	write := func(seed uint64) string {
		var b bytes.Buffer
		if err := Write(&b, seed); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first, again, other := write(1), write(1), write(2)
	if first != again {
		t.Error("one seed, two files")
	}
	if first == other {
		t.Error("two seeds, one file")
	}
}

func TestWriteReportsTheDisk(t *testing.T) {
	_, w := io.Pipe()
	w.CloseWithError(io.ErrShortWrite)
	if err := Write(w, 1); err == nil {
		t.Error("a full disk went unnoticed")
	}
}

// reader takes a GGUF header apart.
type reader struct {
	t  *testing.T
	b  []byte
	at int
}

func (r *reader) bytes(n int) []byte {
	r.t.Helper()
	if r.at+n > len(r.b) {
		r.t.Fatalf("the file ends at %d, %d wanted", len(r.b), r.at+n)
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.bytes(4)) }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.bytes(8)) }
func (r *reader) string() string { return string(r.bytes(int(r.uint64()))) }

// value skips a value; of an array it gives the length.
func (r *reader) value() int {
	switch kind := r.uint32(); kind {
	case typeUint32, typeFloat32, typeInt32:
		r.bytes(4)
	case typeString:
		_ = r.string()
	case typeArray:
		element, n := r.uint32(), int(r.uint64())
		for range n {
			if element == typeString {
				_ = r.string()
			} else {
				r.bytes(4)
			}
		}
		return n
	default:
		r.t.Fatalf("value of type %d", kind)
	}
	return 0
}
