// Package message defines what the two ends of a tunnel say to each other
// besides the bytes they carry: hello, reply, request, answer and control.
//
// Each message travels as its length, an unsigned varint, and a body of
// protobuf-encoded fields, so that either end may learn new fields without the
// other: unknown ones are skipped, missing ones are zero. SPEC.md at the root of
// the repository has the tables.
package message
