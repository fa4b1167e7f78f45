package lab

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestWaitReadySeesTheEnd wants a server that dies at once to be reported at once.
func TestWaitReadySeesTheEnd(t *testing.T) {
	p, err := Start(exec.Command("false"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = p.WaitReady(t.Context(), "http://127.0.0.1:1/", time.Minute)
	if err == nil || !strings.Contains(err.Error(), "ended before it was ready") || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	p.Stop()
}

func TestStartProcessReadsTheAddress(t *testing.T) {
	p, err := StartProcess(t.Context(), "sh", "-c", "echo http://127.0.0.1:1; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	if p.URL != "http://127.0.0.1:1" {
		t.Errorf("URL %q", p.URL)
	}
	p.Stop()
	if _, err := StartProcess(t.Context(), "sh", "-c", "exit 3"); err == nil {
		t.Error("a program without an address was accepted")
	}
}
