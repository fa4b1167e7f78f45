package client

import (
	"context"
	"time"
)

// Naps replaces every wait of the client, and is told how long it would have been.
func (c *Client) Naps(nap func(ctx context.Context, d time.Duration) error) { c.sleep = nap }
