package cache

import (
	"fmt"
	"testing"
	"time"
)

// TestCache: values stay for their time and no longer, and never more than fit.
func TestCache(t *testing.T) {
	c := New[int](100, time.Hour)
	c.Set("a", 1)
	if v, ok := c.Get("a"); !ok || v != 1 {
		t.Errorf("%d %v", v, ok)
	}
	c.Delete("a")
	if _, ok := c.Get("a"); ok {
		t.Error("deleted and there")
	}
	for i := range 10_000 {
		c.Set(fmt.Sprint(i), i)
	}
	c.Clear()
	there := 0
	for i := range 10_000 {
		if _, ok := c.Get(fmt.Sprint(i)); ok {
			there++
		}
	}
	if there != 0 {
		t.Errorf("%d values after Clear", there)
	}
	brief := New[int](100, 20*time.Millisecond)
	set := time.Now()
	brief.Set("a", 1)
	for time.Since(set) < 10*time.Second {
		if _, ok := brief.Get("a"); !ok {
			if time.Since(set) < 20*time.Millisecond {
				t.Errorf("gone after %s", time.Since(set))
			}
			return
		}
		brief.Get("a") // being read does not keep it
	}
	t.Error("a value does not expire")
}
