// Package nearest guesses what a misspelt word was meant to be.
package nearest

import "strings"

// To returns the candidate that a misspelt word was most likely meant to be, empty when none is near. Case, and dash or underscore, do not count.
func To(word string, candidates []string) string {
	best, least := "", len(word)/3+2 // a third of the letters may be wrong
	for _, c := range candidates {
		d := distance(normal(word), normal(c))
		if strings.HasPrefix(c, word) && len(word) >= 3 {
			d = min(d, 1) // an abbreviation
		}
		if d < least {
			best, least = c, d
		}
	}
	return best
}

// Ask is the end of a sentence about a misspelt word, such as "; did you mean addr?"; empty when nothing is near.
func Ask(word string, candidates []string) string {
	if best := To(word, candidates); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

func normal(word string) string { return strings.ReplaceAll(strings.ToLower(word), "-", "_") }

// distance counts the letters to insert, drop, change or swap with their neighbour to make b of a.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
