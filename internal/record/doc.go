// Package record spares the connection below TLS its system calls. crypto/tls
// reads and writes one record of 16 KiB at a time; here what the kernel has is
// read at once, and the records of one Write leave at once.
//
// [Under] goes below TLS and [Over] above it. The conn of Under reads ahead into a
// buffer that it holds only while there are bytes in it, so an idle connection
// costs none. Over makes the conn below hold the records of one Write back until
// the last of them comes. Nothing outlives that Write, and its errors are its own.
//
// Neither starts a goroutine, and Close and deadlines reach the connection itself
// without a lock of this package.
package record
