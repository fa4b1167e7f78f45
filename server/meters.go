package server

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
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

// watch shows how many models are left alone because they failed too often.
func (m *meters) watch(reg *prometheus.Registry, circuits func() int) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clawless_open_circuits", Help: "Models of providers that are left alone after repeated failures."},
		func() float64 { return float64(circuits()) }))
}
