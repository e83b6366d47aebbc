package konnectivity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTokenFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	source := TokenFile(file)
	if _, err := source.Token(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), file) {
		t.Errorf("missing: %v, want an error that names the file", err)
	}
	for name, c := range map[string]struct{ content, token, want string }{
		"plain":         {"abc.DEF-_", "abc.DEF-_", ""},
		"newline":       {"abc\n", "abc", ""},
		"white space":   {" \t\r\nabc \r\n\n", "abc", ""},
		"largest":       {strings.Repeat("x", maxToken), strings.Repeat("x", maxToken), ""},
		"too large":     {strings.Repeat("x", maxToken+1), "", "larger than 65536 bytes"},
		"empty":         {"", "", "no token in it"},
		"blank":         {" \n", "", "no token in it"},
		"two lines":     {"secret-a\nsecret-b", "", "byte 8 is none of a token"},
		"control bytes": {"secret\x00", "", "byte 6 is none of a token"},
		"not ASCII":     {"secreté", "", "byte 6 is none of a token"},
	} {
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		token, err := source.Token(t.Context())
		switch {
		case token != c.token || (err != nil) != (c.want != ""):
			t.Errorf("%s: %d bytes, %v", name, len(token), err)
		case err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file)):
			t.Errorf("%s: %v, want %q and the file's path", name, err, c.want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: %v tells what is in the file", name, err)
		}
	}
	if _, err := TokenFile(dir).Token(t.Context()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := TokenSourceFunc(nil).Token(t.Context()); err == nil {
		t.Error("a nil function gave a token")
	}
}
