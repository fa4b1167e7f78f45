package embeddings

import (
	"reflect"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/fault"
)

// TestRead: what clients send is read, and what cannot be served is refused with what to do about it.
func TestRead(t *testing.T) {
	for body, want := range map[string]Request{
		`{"model":"lab/v","input":"a b"}`: {Model: "lab/v", Input: []string{"a b"}},
		`{"model":"lab/v","input":["a"," b"],"encoding_format":"base64","dimensions":8,"user":"u","unknown":1}`: {Model: "lab/v", Input: []string{"a", " b"}, Base64: true, Dimensions: 8, User: "u"},
		` {"model":"lab/v","input": [ "\u00fc\n" ] ,"encoding_format":null,"dimensions":null,"user":null}`:      {Model: "lab/v", Input: []string{"ü\n"}},
		`{"model":"lab/v","input":[` + strings.Repeat(`"x",`, maxInputs-1) + `"x"],"encoding_format":"float"}`:  {Model: "lab/v", Input: strings.Split(strings.Repeat("x", maxInputs), "")},
	} {
		if got, err := Read([]byte(body)); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%.80s: %v, %+v", body, err, got)
		}
	}
	for _, tt := range []struct {
		body, message string
		code          fault.Code
	}{
		{`{"input":"x"}`, "model: is required", fault.ValidationFailed},
		{`{"model":"","input":"x"}`, "model: is required", fault.ValidationFailed},
		{`{"model":"default","input":"x"}`, "model: name one that makes embeddings, not default", fault.ValidationFailed},
		{`{"model":"auto","input":"x"}`, "model: name one that makes embeddings, not auto", fault.ValidationFailed},
		{`{"model":"m"}`, "input: is required", fault.ValidationFailed},
		{`{"model":"m","input":null}`, "input: is required", fault.ValidationFailed},
		{`{"model":"m","input":""}`, "input: text 1 is empty", fault.ValidationFailed},
		{`{"model":"m","input":["a",""]}`, "input: text 2 is empty", fault.ValidationFailed},
		{`{"model":"m","input":[]}`, "input: must hold at least one text", fault.ValidationFailed},
		{`{"model":"m","input":[` + strings.Repeat(`"x",`, maxInputs) + `"x"]}`, "input: at most 2048 texts", fault.ValidationFailed},
		{`{"model":"m","input":7}`, "input: must be a text", fault.ValidationFailed},
		{`{"model":"m","input":{"text":"x"}}`, "input: must be a text", fault.ValidationFailed},
		{`{"model":"m","input":["a",null]}`, "input: entry 2 is not a text", fault.ValidationFailed},
		{`{"model":"m","input":[1,2,3]}`, "send the texts themselves", fault.UnsupportedParam},
		{`{"model":"m","input":[[1,2],[3]]}`, "send the texts themselves", fault.UnsupportedParam},
		{`{"model":"m","input":[` + strings.Repeat(`1,`, 9000) + `1]}`, "send the texts themselves", fault.UnsupportedParam},
		{`{"model":"m","input":"x","encoding_format":"int8"}`, "encoding_format: must be float or base64", fault.ValidationFailed},
		{`{"model":"m","input":"x","dimensions":0}`, "dimensions: must be a whole number from 1 to 16384", fault.ValidationFailed},
		{`{"model":"m","input":"x","dimensions":1.5}`, "dimensions: must be a whole number", fault.ValidationFailed},
		{`{"model":"m","input":[` + strings.Repeat(`"x",`, 1024) + `"x"],"dimensions":8192}`, "dimensions: 1025 texts of 8192 dimensions are more than", fault.ValidationFailed},
		{`{"model":"m","input":"x","user":"\u0000"}`, "user: must not hold a zero byte", fault.ValidationFailed},
		{`{"model":"m","model":"n","input":"x"}`, "model", fault.InvalidJSON},
		{`["x"]`, "must be a JSON object", fault.InvalidJSON},
		{`{`, "not one valid JSON value", fault.InvalidJSON},
	} {
		_, err := Read([]byte(tt.body))
		if !fault.Is(err, tt.code) || !strings.Contains(err.Error(), tt.message) {
			t.Errorf("%.60s: %v, want %s: %s", tt.body, err, tt.code, tt.message)
		}
	}
}
