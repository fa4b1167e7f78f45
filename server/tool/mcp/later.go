package mcp

func isBlocked(error) bool { return false }
