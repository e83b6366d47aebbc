// Package testkit is what the tests of several packages have in common: polling,
// logs to look at, targets to dial.
package testkit
