// Package reference is the page that shows the API's description to a reader; it needs nothing from elsewhere.
package reference

import "embed"

// Files are index.html, app.js and style.css.
//
//go:embed index.html app.js style.css
var Files embed.FS
