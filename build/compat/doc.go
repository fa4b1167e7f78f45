// Package compat holds OpenAI's official Go SDK to the real server, with nothing changed but the base URL and the key.
package compat
