package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
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

// A token file is read at each connect: the agent comes back with the new one, and
// a file that is not there yet costs attempts and nothing else.
func TestTokenFileRotates(t *testing.T) {
	leak.Check(t)
	var mu sync.Mutex
	accepted := "first.token.c2VjcmV0"
	var seen []string
	w := tokenWorld(t, tls.VerifyClientCertIfGiven, TokenAuthenticatorFunc(func(_ context.Context, token string) (User, error) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(seen, token) {
			seen = append(seen, token)
		}
		if token != accepted {
			return User{}, dialer.ErrDenied
		}
		return edgeUser(), nil
	}))
	file := filepath.Join(t.TempDir(), "token")
	cfg := w.credentials(false, "")
	cfg.Token = TokenFile(file)
	a, _ := w.start(cfg)
	eventually(t, "an attempt without the file", func() bool {
		err := a.Ready()
		return err != nil && strings.Contains(err.Error(), file)
	})
	write := func(token string) {
		if err := testpki.WriteFile(file, []byte(token)); err != nil {
			t.Fatal(err)
		}
	}
	write("first.token.c2VjcmV0\n") // as an editor leaves it
	eventually(t, "connected", func() bool { return a.Ready() == nil })
	write("second.token.c2VjcmV0\n")
	mu.Lock()
	accepted = "second.token.c2VjcmV0"
	mu.Unlock()
	w.srv.Close()
	srv, err := NewServer(w.srv.cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.srv = srv
	w.listen(w.addr)
	eventually(t, "back with the new token", func() bool { return w.knows("edge") })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"first.token.c2VjcmV0", "second.token.c2VjcmV0"}; !slices.Equal(seen, want) {
		t.Errorf("the server saw %q, want %q", seen, want)
	}
	w.noSecrets(seen...)
}
