// Package reload follows files: a [Value] is made of the content of one or more,
// and made anew when that content changes.
//
// Files may be replaced by a rename, by swapping a symbolic link anywhere on
// their path, or by writing over them. What cannot be used in full is not used
// at all, and the last good value stays. Only a rename is at once: who reads a file
// that is being written over may see its beginning, and that may be a good one.
package reload
