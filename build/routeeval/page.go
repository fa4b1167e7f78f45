package main

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	beginMark = "<!-- figures: `make route-eval WRITE=1` writes everything from here to the end mark -->"
	endMark   = "<!-- end of figures -->"
)

// render gives the figures of the record as a part of docs/routing.md.
func render(r *record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nWeights %s. Every number below is of an old pair of models, on English benchmark prose and not on chat; MT-bench is the only set with requests as people\n", beginMark, r.Version)
	b.WriteString("write them, and it is small. APGR: 0.5 is random. The last two columns are the mean quality when 20% and 50% of the calls go to the strong model.\n")
	for _, s := range r.Sets {
		fmt.Fprintf(&b, "\n### %s%s\n\n", strings.ToUpper(s.Name[:1]), s.Name[1:])
		fmt.Fprintf(&b, "%d prompts in %d groups. Cheap alone %.3f, strong alone %.3f.", s.Prompts, s.Groups, s.Cheap, s.Strong)
		if s.AUC > 0 {
			fmt.Fprintf(&b, " Area under the curve of the score for \"cheap is wrong\": %.3f.", s.AUC)
		}
		fmt.Fprintf(&b, " Score less length: %+.3f (%+.3f to %+.3f).\n\n", s.Over, s.OverCI[0], s.OverCI[1])
		b.WriteString("| routed by | APGR | 95% interval | quality at 20% | at 50% |\n|---|---|---|---|---|\n")
		for _, w := range s.Routers {
			fmt.Fprintf(&b, "| %s | %.3f | %.3f to %.3f | %.3f | %.3f |\n", w.Name, w.APGR, w.CI[0], w.CI[1], w.At20, w.At50)
		}
	}
	c := r.Calibration
	b.WriteString("\n### Calibration on the held-out subjects\n\n")
	fmt.Fprintf(&b, "The cheap model fails on %.3f of them, and on %.3f of the training questions. Brier score %.4f; %.4f for always saying %.3f. Expected calibration error %.3f.\n\n",
		c.Failures, c.Base, c.Brier, c.BrierBase, c.Base, c.ECE)
	b.WriteString("| tenth of the prompts, by score | predicted | observed |\n|---|---|---|\n")
	for i, x := range c.Bins {
		fmt.Fprintf(&b, "| %d | %.3f | %.3f |\n", i+1, x.Predicted, x.Observed)
	}
	fmt.Fprintf(&b, "\nHeld out: %s.\n\n%s", strings.Join(r.HeldOut, ", "), endMark)
	return b.String()
}

// replaceFigures puts the figures between the marks of the page.
func replaceFigures(page []byte, figures string) ([]byte, error) {
	begin, end := bytes.Index(page, []byte(beginMark)), bytes.Index(page, []byte(endMark))
	if begin < 0 || end < begin {
		return nil, fmt.Errorf("the page lacks the marks %q and %q", beginMark, endMark)
	}
	out := append([]byte{}, page[:begin]...)
	out = append(out, figures...)
	return append(out, page[end+len(endMark):]...), nil
}
