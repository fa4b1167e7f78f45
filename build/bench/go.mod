module github.com/clawless/clawless/build/bench

go 1.26.8
