// Package reload follows files: a [Value] is made of the content of one or more,
// and made anew when that content changes. Package files tells users how.
package reload
