package mcp

func isBlocked(error) bool     { return false }
func checkSchema([]byte) error { return nil }
