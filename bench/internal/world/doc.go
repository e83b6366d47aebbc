// Package world is what the measuring programs share: a server, agents and a
// target, each in a process of its own where that is to be measured alone, and the
// load that goes through them. Everything is on loopback, with throwaway
// certificates, and ends with the program.
package world
