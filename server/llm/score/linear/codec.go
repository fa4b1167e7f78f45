package linear

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// head is the readable part of the file: everything but the tables.
type head struct {
	Format    int                `json:"format"`
	Spec      Spec               `json:"spec"`
	WordUnit  float64            `json:"word_unit"`
	CharUnit  float64            `json:"char_unit"`
	Bias      float64            `json:"bias"`
	Slope     float64            `json:"slope"`
	Offset    float64            `json:"offset"`
	Structure map[string]columns `json:"structure"`
	Quantiles []float64          `json:"quantiles"`
	Common    int                `json:"common_words"`
}

// columns are weight, mean and deviation of a structural feature.
type columns [3]float64

const (
	format    = 1
	maxBits   = 20
	lineWidth = 120
	separator = "\n---\n"
)

// Encode writes the model as text: a JSON head, a line of three dashes, then the tables and the common words, deflated, in lines of base64.
func (m *Model) Encode() ([]byte, error) {
	h := head{Format: format, Spec: m.Spec, WordUnit: m.WordUnit, CharUnit: m.CharUnit, Bias: m.Bias, Slope: m.Slope, Offset: m.Offset,
		Structure: map[string]columns{}, Quantiles: m.Quantiles, Common: len(m.Common)}
	for i, f := range Features {
		h.Structure[f.Name] = columns{m.Structure[i], m.Mean[i], m.Deviation[i]}
	}
	out, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the head of the weights: %w", err)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("deflate the weights: %w", err)
	}
	for _, part := range [][]byte{asBytes(m.Words), asBytes(m.Chars), []byte(strings.Join(m.Common, "\n"))} {
		if _, err := w.Write(part); err != nil {
			return nil, fmt.Errorf("deflate the weights: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("deflate the weights: %w", err)
	}
	out = append(out, separator...)
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	for len(text) > 0 {
		n := min(lineWidth, len(text))
		out = append(append(out, text[:n]...), '\n')
		text = text[n:]
	}
	return out, nil
}

// Decode reads what Encode wrote. A file that was cut or changed in its shape is an error; the error names what does not fit.
func Decode(text []byte) (*Model, error) {
	top, body, ok := bytes.Cut(text, []byte(separator))
	if !ok {
		return nil, errors.New("weights without a head")
	}
	var h head
	if err := json.Unmarshal(top, &h); err != nil {
		return nil, fmt.Errorf("read the head of the weights: %w", err)
	}
	if h.Format != format {
		return nil, fmt.Errorf("weights of format %d, this program reads %d", h.Format, format)
	}
	if s := h.Spec; s.WordBits < 1 || s.WordBits > maxBits || s.CharBits < 1 || s.CharBits > maxBits {
		return nil, fmt.Errorf("tables of 2^%d and 2^%d weights, at most 2^%d", s.WordBits, s.CharBits, maxBits)
	}
	m := &Model{Spec: h.Spec, WordUnit: h.WordUnit, CharUnit: h.CharUnit, Bias: h.Bias, Slope: h.Slope, Offset: h.Offset, Quantiles: h.Quantiles}
	for i, f := range Features {
		c, ok := h.Structure[f.Name]
		if !ok {
			return nil, fmt.Errorf("no weight for the feature %q", f.Name)
		}
		m.Structure[i], m.Mean[i], m.Deviation[i] = c[0], c[1], c[2]
	}
	if err := m.decodeTables(body, h.Common); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Model) decodeTables(body []byte, common int) error {
	words, chars := 1<<m.Spec.WordBits, 1<<m.Spec.CharBits
	packed := flate.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
	tables := make([]byte, words+chars)
	if _, err := io.ReadFull(packed, tables); err != nil {
		return fmt.Errorf("read the tables of the weights: %w", err)
	}
	rest, err := io.ReadAll(packed)
	if err != nil {
		return fmt.Errorf("read the common words: %w", err)
	}
	m.Words, m.Chars = make([]int8, words), make([]int8, chars)
	for i := range m.Words {
		m.Words[i] = int8(tables[i])
	}
	for i := range m.Chars {
		m.Chars[i] = int8(tables[words+i])
	}
	if len(rest) > 0 {
		m.Common = strings.Split(string(rest), "\n")
	}
	if len(m.Common) != common {
		return fmt.Errorf("%d common words, the head says %d", len(m.Common), common)
	}
	return nil
}

func asBytes(weights []int8) []byte {
	b := make([]byte, len(weights))
	for i, w := range weights {
		b[i] = byte(w)
	}
	return b
}
