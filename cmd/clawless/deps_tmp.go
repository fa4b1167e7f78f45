package main

import (
	_ "github.com/JohannesKaufmann/html-to-markdown/v2"
	_ "github.com/modelcontextprotocol/go-sdk/mcp"
	_ "github.com/redis/go-redis/v9"
	_ "golang.org/x/net/html"
)
