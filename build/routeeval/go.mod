module github.com/clawless/clawless/build/routeeval

go 1.26.8

require github.com/clawless/clawless v0.0.0

replace github.com/clawless/clawless => ../..
