// Package openapi_test holds the committed description to what the server serves.
package openapi_test

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/clawless/clawless/server"
)

func TestCommittedIsServed(t *testing.T) {
	committed, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^  version: (\S+)$`).FindSubmatch(committed)
	if version == nil {
		t.Fatal("the description has no version")
	}
	for range 2 {
		served, _, err := server.Description(string(version[1]))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(served, committed) {
			t.Fatal("openapi/openapi.yaml is not what the server says: make generate")
		}
	}
}
