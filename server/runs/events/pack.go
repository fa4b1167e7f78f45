package events

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/clawless/clawless/server/fault"
)

const (
	packVersion = 1
	maxUnpacked = 256 << 20 // bytes of one run's events; far above what an answer may have
)

var errPacked = errors.New("the stored events of a run cannot be read")

// Pack compresses a finished run's events: a version, and for each event its kind, its length and its data.
func Pack(events []Event) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	head := []byte{packVersion}
	for _, e := range events {
		head = binary.AppendUvarint(append(head, byte(e.Kind)), uint64(len(e.Data)))
		if _, err := z.Write(head); err != nil {
			return nil, err
		}
		if _, err := z.Write(e.Data); err != nil {
			return nil, err
		}
		head = head[:0]
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Unpack is the inverse of Pack; it demands as many events as there should be, and an end.
func Unpack(data []byte, count int) ([]Event, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPacked, err)
	}
	all, err := io.ReadAll(io.LimitReader(z, maxUnpacked))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPacked, err)
	}
	if len(all) == 0 || all[0] != packVersion {
		return nil, errPacked
	}
	all = all[1:]
	var out []Event
	for len(all) > 0 {
		n, width := binary.Uvarint(all[1:])
		if width <= 0 || n > uint64(len(all)-1-width) {
			return nil, errPacked
		}
		from := 1 + width
		to := from + int(n)
		out = append(out, Of(int64(len(out))+1, all[0], all[from:to:to]))
		all = all[to:]
	}
	if len(out) != count || count == 0 || !out[count-1].Last() {
		return nil, errPacked
	}
	return out, nil
}

// Of makes an event again of what was kept of it.
func Of(sequence int64, kind byte, data []byte) Event {
	e := Event{Sequence: sequence, Kind: Kind(kind), Data: data}
	if e.Kind == Failure {
		e.Err = faultOf(data)
	}
	return e
}

// Last reports whether no event follows.
func (e Event) Last() bool { return e.Kind == Done || e.Kind == Failure }

// faultOf is the fault that an envelope tells of.
func faultOf(envelope []byte) error {
	var env struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Param   string `json:"param"`
		} `json:"error"`
	}
	if json.Unmarshal(envelope, &env) != nil || env.Error.Code == "" {
		return fault.New(fault.Internal, "the run ended with an error that cannot be read")
	}
	return fault.New(fault.Code(env.Error.Code), "%s", env.Error.Message).WithParam(env.Error.Param)
}
