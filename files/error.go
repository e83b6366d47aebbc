package files

// Error says which file is at fault and why. It never holds content of the file.
type Error struct {
	File string
	// Err is the cause, never nil.
	Err error
}

// Error returns the file and the cause.
func (e *Error) Error() string { return e.File + ": " + e.Err.Error() }

// Unwrap returns the cause, so errors.Is knows fs.ErrNotExist.
func (e *Error) Unwrap() error { return e.Err }
