// Package compat holds the official Go SDKs of OpenAI and Anthropic to the real server, with nothing changed but the base URL and the key.
package compat
