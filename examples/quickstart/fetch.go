package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxAnswer is more than any of our servers says.
const maxAnswer = 4 << 10

// fetch gets url and tells who answered what.
func fetch(ctx context.Context, c *http.Client, url string) (outcome, error) {
	resp, err := get(ctx, c, url)
	if err != nil {
		return outcome{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return outcome{}, err
	}
	said := fmt.Sprintf("%s says %q", resp.Proto, strings.TrimSpace(string(body)))
	return outcome{verified: verifiedAs(resp.TLS), said: said}, nil
}

// get begins the response to a GET, which must be a success.
func get(ctx context.Context, c *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("unexpected status %s", resp.Status)
	}
	return resp, nil
}

// verifiedAs says who answered and who vouches for it: of a node its subject, of
// others the name they were verified for. It is empty without TLS.
func verifiedAs(cs *tls.ConnectionState) string {
	if cs == nil || len(cs.VerifiedChains) == 0 {
		return ""
	}
	peer := cs.VerifiedChains[0][0]
	name := cs.ServerName
	if strings.HasPrefix(peer.Subject.CommonName, "system:node:") {
		name = peer.Subject.CommonName
	}
	return fmt.Sprintf("%s (%s)", name, peer.Issuer.CommonName)
}
