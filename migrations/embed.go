// Package migrations holds the schema of the database as forward-only steps, one folder for each engine.
package migrations

import "embed"

// FS holds sqlite/NNNN_what.sql and postgres/NNNN_what.sql. Both folders have the same numbers and names, and a released file is never changed.
//
//go:embed sqlite/*.sql postgres/*.sql
var FS embed.FS
