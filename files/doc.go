// Package files says how the files are followed that certificates, authorities, SSH
// keys, known hosts and lists of nodes come from. Packages transport and sshtunnel,
// which follow them, have its types under names of their own: FileOptions, FileTrace
// and FileError.
//
// Files may be replaced by a rename, by swapping a symbolic link anywhere on their
// path, or by writing over them: what counts is their content. What cannot be used
// in full is not used at all, and the last good content stays. Only a rename is at
// once: who reads a file that is being written over may see its beginning, and that
// may be a good one.
package files
