package server

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/chat"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
)

// meters are the metrics of the process. Labels are providers and classes, never tenants or models: a caller must not be able to add time series.
type meters struct {
	http     *api.Metrics
	tokens   *prometheus.CounterVec
	cost     *prometheus.CounterVec
	attempts *prometheus.CounterVec
	first    *prometheus.HistogramVec
}

func newMeters(reg *prometheus.Registry) *meters {
	m := &meters{
		http:     api.NewMetrics(reg),
		tokens:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clawless_tokens_total", Help: "Tokens settled in the ledger."}, []string{"provider", "direction"}),
		cost:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clawless_cost_micros_total", Help: "Micro-dollars settled in the ledger, where the price is known."}, []string{"provider", "outcome"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clawless_provider_calls_total", Help: "Calls of providers by outcome."}, []string{"provider", "outcome"}),
		first: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "clawless_provider_first_chunk_seconds", Help: "Time to a provider's first chunk.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"provider"}),
	}
	reg.MustRegister(m.tokens, m.cost, m.attempts, m.first, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *meters) settled(e quotas.Entry) {
	m.tokens.WithLabelValues(e.Provider, "input").Add(float64(e.Usage.Input))
	m.tokens.WithLabelValues(e.Provider, "output").Add(float64(e.Usage.Output))
	m.cost.WithLabelValues(e.Provider, e.Outcome).Add(float64(e.Micros))
}

func (m *meters) attempt(a router.Attempt) {
	name, outcome := a.Target.Provider.Name(), "ok"
	switch {
	case a.Err != nil:
		outcome = string(a.Err.Class)
	case a.Left:
		outcome = "left"
	}
	m.attempts.WithLabelValues(name, outcome).Inc()
	if a.First > 0 {
		m.first.WithLabelValues(name).Observe(a.First.Seconds())
	}
}

// memory shows what is kept in memory, and how often it was of use.
func (m *meters) memory(reg *prometheus.Registry, c *chat.Chat, hub *runs.Hub) {
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	const ratio, what = "clawless_cache_hit_ratio", "Share of look-ups that were answered from memory since the start."
	gauge(ratio, what, prometheus.Labels{"cache": "tenants"}, c.HitRatio)
	gauge(ratio, what, prometheus.Labels{"cache": "sessions"}, c.Hot)
	gauge("clawless_runs_active", "Runs of sessions under way.", nil, func() float64 { return float64(hub.Stats().Active) })
	gauge("clawless_run_events_bytes", "Memory of the events of finished runs.", nil, func() float64 { return float64(hub.Stats().Bytes) })
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "clawless_run_events_failed_total", Help: "Attempts to write events to the database or to Redis that failed."},
		func() float64 { return float64(hub.Stats().Failed) }))
	gauge("clawless_run_events_behind", "Runs of which Redis does not have everything yet.", nil, func() float64 { return float64(hub.Stats().Behind) })
}

// watch shows how many models are left alone because they failed too often.
func (m *meters) watch(reg *prometheus.Registry, circuits func() int) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clawless_open_circuits", Help: "Models of providers that are left alone after repeated failures."},
		func() float64 { return float64(circuits()) }))
}
