// Package apiserver holds a test of one program that is both: an apiserver, which
// links Konnectivity's client and with it the generated protobuf messages, and
// this project.
package apiserver
