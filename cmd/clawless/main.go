// Command clawless is the server, the operator's CLI and the terminal chat in one binary.
package main

func main() {}
