package events

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/fault"
)

// TestPack: any finished log comes back as it was, and small; damaged ones are refused and never taken for another log.
func TestPack(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for round := range 200 {
		l := New(nil)
		for range rng.IntN(50) {
			l.Append(Kind(rng.IntN(3)), []byte(strings.Repeat("é\x00{}", rng.IntN(100))))
		}
		if round%2 == 0 {
			l.Append(Done, nil)
		} else {
			l.Fail(nil, []byte(`{"error":{"message":"too much","type":"t","param":"model","code":"quota_exceeded"}}`))
		}
		want := l.After(0)
		packed, err := Pack(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unpack(packed, len(want))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d events of %d, %v", len(got), len(want), err)
		}
		for i, e := range got {
			if e.Sequence != want[i].Sequence || e.Kind != want[i].Kind || string(e.Data) != string(want[i].Data) {
				t.Fatalf("event %d: %+v", i, e)
			}
		}
		if f := fault.From(got[len(got)-1].Err); round%2 == 1 && (f.Code != fault.QuotaExceeded || f.Message != "too much" || f.Param != "model") {
			t.Errorf("%+v", f)
		}
		if _, err := Unpack(packed, len(want)+1); err == nil {
			t.Error("a log with an event too few is taken")
		}
		if _, err := Unpack(packed[:rng.IntN(len(packed))], len(want)); err == nil {
			t.Error("a log that was cut is taken")
		}
		packed[rng.IntN(len(packed)-10)+10] ^= byte(rng.IntN(255) + 1)
		if other, err := Unpack(packed, len(want)); err == nil && fmt.Sprint(other) != fmt.Sprint(got) {
			t.Error("a damaged log is taken for another")
		}
	}
	open, err := Pack([]Event{{Sequence: 1, Kind: Frame, Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, []byte("no gzip"), open} {
		if _, err := Unpack(bad, 1); err == nil {
			t.Errorf("%q is taken for a log", bad)
		}
	}
	if f := fault.From(Of(1, byte(Failure), []byte("{")).Err); f.Code != fault.Internal {
		t.Errorf("%+v", f)
	}
}
