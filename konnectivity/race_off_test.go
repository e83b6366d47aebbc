//go:build !race

package konnectivity

// raceEnabled says that tests run under the race detector, many times slower.
const raceEnabled = false
