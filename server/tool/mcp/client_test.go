package mcp

import (
	"net/http"
	"testing"
)

func testClient(t *testing.T) *http.Client { return &http.Client{} }
