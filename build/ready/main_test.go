package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAsk(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	if err := ask(server.URL); err != nil {
		t.Error(err)
	}
	status = http.StatusServiceUnavailable
	if ask(server.URL) == nil {
		t.Error("503 is not ready")
	}
	server.Close()
	if ask(server.URL) == nil {
		t.Error("a server that is gone is not ready")
	}
}
