package httptool

func isBlocked(error) bool { return false }
