package sqlite

import "strings"

// The result codes of SQLite that are told apart (sqlite.org/rescode.html): first the primary ones, then those of constraints.
const (
	Busy       = 5
	Locked     = 6
	NoMem      = 7
	ReadOnly   = 8
	Interrupt  = 9
	IOErr      = 10
	Corrupt    = 11
	Full       = 13
	CantOpen   = 14
	constraint = 19
	NotADB     = 26

	ForeignKey = constraint | 3<<8
	PrimaryKey = constraint | 6<<8
	Unique     = constraint | 8<<8
	RowID      = constraint | 10<<8
)

// Primary is the primary result code of an error of SQLite, or 0 for another error.
func Primary(err error) int {
	code, _ := Code(err)
	return code & 0xff
}

// Constraint names the unique constraint or primary key that err violated, in the way of Postgres: table_column_column_key or table_pkey. It is empty for every other error.
// SQLite tells the columns only in its sentence, whose form has not changed since version 3.
func Constraint(err error) string {
	code, _ := Code(err)
	if code != Unique && code != PrimaryKey {
		return ""
	}
	_, columns, _ := strings.Cut(message(err), ": ") // UNIQUE constraint failed: tenants.name
	var table, name string
	for column := range strings.SplitSeq(columns, ", ") {
		var c string
		table, c, _ = strings.Cut(column, ".")
		name += "_" + c
	}
	if code == PrimaryKey {
		return table + "_pkey"
	}
	return table + name + "_key"
}

// endsTransaction names the failures after which SQLite may have ended the transaction by itself (sqlite.org/lang_transaction.html).
func endsTransaction(err error) bool {
	switch Primary(err) {
	case Full, IOErr, NoMem, Busy, Interrupt, Corrupt:
		return true
	}
	return false
}

// damages names the failures after which nothing more may be written.
func damages(err error) bool {
	code := Primary(err)
	return code == IOErr || code == Corrupt
}
