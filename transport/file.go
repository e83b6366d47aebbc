package transport

import "github.com/sallyport/sallyport/files"

// Bounds of the files that are read. A bundle may hold hundreds of authorities;
// a pair is one chain and one key.
const (
	maxBundle = 4 << 20
	maxPair   = 1 << 20
)

// DefaultRecheck is how long read content is used before its files are looked
// at again, where nobody chose.
const DefaultRecheck = files.DefaultRecheck

// FileOptions says how files are followed. The zero value is ready to use: it looks
// at them again after DefaultRecheck, and is silent. It is the same type as
// sshtunnel's.
type FileOptions = files.Options

// FileTrace is a set of hooks that hear of new and of broken content.
type FileTrace = files.Trace

// FileError says which file is at fault and why.
type FileError = files.Error
