package sshtunnel

import "github.com/sallyport/sallyport/files"

// FileOptions says how files are followed. The zero value is ready to use: it looks
// at them again after a second, and is silent. It is the same type as transport's.
type FileOptions = files.Options

// FileTrace is a set of hooks that hear of new and of broken content.
type FileTrace = files.Trace

// FileError says which file is at fault and why.
type FileError = files.Error
