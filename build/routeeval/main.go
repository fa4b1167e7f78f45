// Command routeeval trains the router's score on public labelled prompts, measures it, and holds the committed weights to what was recorded.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	data := flag.String("data", "../shared/data/routing", "folder with the labelled prompts")
	sel := flag.Bool("select", false, "compare recipes by cross-validation over the training subjects, and end")
	flag.Parse()
	if err := run(*data, *sel); err != nil {
		fmt.Fprintln(os.Stderr, "routeeval:", err)
		os.Exit(1)
	}
}

func run(data string, sel bool) error {
	all, err := readMMLU(data)
	if err != nil {
		return err
	}
	held := holdOut(all)
	training, _ := splitBy(all, func(_ int, p prompt) bool { return held[p.group] })
	if sel {
		compareRecipes(os.Stdout, training)
	}
	return nil
}
