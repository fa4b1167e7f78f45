package main

import (
	"math"

	"github.com/clawless/clawless/server/llm/score/linear"
)

// platt finds slope and offset so that sigmoid(slope*raw + offset) fits the outcomes best, by Newton's method.
func platt(raw []float64, failed []bool) (slope, offset float64) {
	slope = 1
	for range 50 {
		var ga, gb, haa, hab, hbb float64
		for i, z := range raw {
			p := linear.Sigmoid(slope*z + offset)
			d, w := p, p*(1-p)
			if failed[i] {
				d--
			}
			ga, gb = ga+d*z, gb+d
			haa, hab, hbb = haa+w*z*z, hab+w*z, hbb+w
		}
		det := haa*hbb - hab*hab
		if det <= 0 {
			break
		}
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		slope, offset = slope-da, offset-db
		if math.Abs(da)+math.Abs(db) < 1e-12 {
			break
		}
	}
	return slope, offset
}

// build trains a model on the prompts and calibrates it by predictions for families that were left out; those are given back, calibrated.
func build(training []prompt, r recipe) (*linear.Model, unseen) {
	u := crossValidate(training, r)
	failed := failures(training)
	m := fit(training, r).pack(r)
	m.Slope, m.Offset = platt(append(append([]float64{}, u.full...), u.stem...), append(append([]bool{}, failed...), failed...))
	for i := range u.full {
		u.full[i] = linear.Sigmoid(m.Slope*u.full[i] + m.Offset)
		u.stem[i] = linear.Sigmoid(m.Slope*u.stem[i] + m.Offset)
	}
	return m, u
}

// quantiles are the values at 0, 1, ... 100 percent, lowest first.
func quantiles(sorted []float64) []float64 {
	const steps = 100
	out := make([]float64, steps+1)
	for i := range out {
		out[i] = sorted[i*(len(sorted)-1)/steps]
	}
	return out
}
