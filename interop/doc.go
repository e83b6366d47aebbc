// Package interop tests this project against Konnectivity's own code. It is a
// module of its own, so that users of the core require none of it.
//
// The tests themselves are in package suite. Here they run with the
// konnectivity-client that kube-apiserver 1.37 links; the module in newest runs
// them with the newest one, and the module in apiserver puts our packages and
// those of an apiserver into one program.
package interop
