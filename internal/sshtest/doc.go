// Package sshtest is an SSH server for tests: it forwards to TCP and unix
// targets as sshd does, and misbehaves on demand. It says what it saw: how many
// handshakes it finished, who logged in, which channels are open.
//
// [Start] listens on loopback. A [Server] is a dialer.Dialer too: DialContext
// returns a conn to it through memory, for tests in a synctest bubble.
package sshtest
