package sshtunnel

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The markers that may begin a line.
const (
	markerAuthority = "@cert-authority"
	markerRevoked   = "@revoked"
)

// parseKnownHosts parses the content of files.
func parseKnownHosts(files []string, data [][]byte) (*knownFile, error) {
	f := &knownFile{revoked: make(map[string]KnownKey)}
	for i, file := range files {
		if err := f.add(file, data[i]); err != nil {
			return nil, &FileError{File: file, Err: err}
		}
	}
	if len(f.lines)+len(f.revoked) == 0 {
		return nil, &FileError{File: files[0], Err: errNoHostKey}
	}
	return f, nil
}

// add parses the content of one file.
func (f *knownFile) add(file string, data []byte) error {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := f.addLine(line, KnownKey{File: file, Line: n}); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// addLine parses a line that is not blank. at says where it is.
func (f *knownFile) addLine(line []byte, at KnownKey) error {
	fields := bytes.Fields(line)
	marker := ""
	if fields[0][0] == '@' {
		marker, fields = string(fields[0]), fields[1:]
		if marker != markerAuthority && marker != markerRevoked {
			return fmt.Errorf("unknown marker %q: want %s or %s", marker, markerAuthority, markerRevoked)
		}
	}
	if len(fields) < 3 {
		return errors.New("want the hosts, the type of the key, and the key")
	}
	hosts, err := parseHosts(string(fields[0]))
	if err != nil {
		return err
	}
	if marker == markerRevoked && strings.Contains(string(fields[1]), "-cert-") {
		return errors.New("a certificate is revoked, which is not supported: revoke its key")
	}
	key, err := parseKey(string(fields[1]), fields[2])
	if err != nil || key == nil {
		return err
	}
	at.Type, at.Fingerprint = key.Type(), ssh.FingerprintSHA256(key)
	if marker == markerRevoked {
		f.revoked[at.Fingerprint] = at
		return nil
	}
	at.Authority = marker == markerAuthority
	f.lines = append(f.lines, knownLine{hosts: hosts, key: at})
	return nil
}

// parseKey parses a key. It returns nil without an error for types that no
// server can prove itself with here. Those have to be types all the same: a word
// misspelled, or out of its place, must not make a line pass for one of them.
func parseKey(kind string, encoded []byte) (ssh.PublicKey, error) {
	if strings.Trim(kind, "0123456789") == "" {
		return nil, nil // of the first version of SSH, which begins with its bits
	}
	blob, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		return nil, errors.New("the key is damaged: not base64")
	}
	if !supportedKey(kind) {
		var key struct {
			Type string
			Rest []byte `ssh:"rest"`
		}
		if ssh.Unmarshal(blob, &key) != nil || key.Type != kind {
			return nil, fmt.Errorf("%.40q is not the type of the key", kind)
		}
		return nil, nil
	}
	key, err := ssh.ParsePublicKey(blob)
	switch {
	case err != nil:
		return nil, errors.New("the key is damaged")
	case key.Type() != kind:
		return nil, fmt.Errorf("the key is of the type %s, not %s", key.Type(), kind)
	}
	return key, nil
}

// supportedKey also knows the keys in hardware that authorities may sign with.
func supportedKey(kind string) bool {
	return knownType(kind) || kind == ssh.KeyAlgoSKED25519 || kind == ssh.KeyAlgoSKECDSA256
}
