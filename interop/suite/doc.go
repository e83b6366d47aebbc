// Package suite holds our packages against the programs that they must get along
// with: Konnectivity's generated messages, its client, and streams that behave as
// its server and its agent do.
//
// The tests are functions here rather than in test files because they run in two
// modules: one with the konnectivity-client that the current Kubernetes release
// links, and one with the newest.
package suite
