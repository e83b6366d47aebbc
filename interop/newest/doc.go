// Package newest runs the tests of package suite with the newest
// konnectivity-client, and tests what only that one has.
package newest
