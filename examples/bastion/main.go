// Command bastion gets a URL through an SSH server, as a control plane reaches nodes
// behind one: the server's key is verified by known_hosts, the client's comes from a
// file or an agent, and nothing goes any other way.
//
//	go run ./examples/bastion -server bastion.example.com:22 http://10.0.0.5:9100/metrics
//
// With -nodes, the list of a nodes file says which further SSH server each
// destination lives on; these are reached through the first one, and what lives on
// none is refused:
//
//	go run ./examples/bastion -server bastion.example.com:22 -nodes nodes.yaml http://node-1:9100/metrics
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/sshtunnel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bastion:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	server, user, knownHosts, key, nodes, url string
}

func parse(args []string) (options, error) {
	home, _ := os.UserHomeDir() // without one the defaults say where they looked
	var o options
	f := flag.NewFlagSet("bastion", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: bastion -server HOST:PORT [flag...] URL")
		f.PrintDefaults()
	}
	f.StringVar(&o.server, "server", "", "host:port of the SSH server; required")
	f.StringVar(&o.user, "user", name(), "whom to log in as")
	f.StringVar(&o.knownHosts, "known-hosts", filepath.Join(home, ".ssh", "known_hosts"), "file with the keys of the servers")
	f.StringVar(&o.key, "key", "", "private key; empty asks the agent at SSH_AUTH_SOCK")
	f.StringVar(&o.nodes, "nodes", "", "nodes file, of what is behind the server")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.server == "" || f.NArg() != 1 {
		return o, fmt.Errorf("want -server and one URL")
	}
	o.url = f.Arg(0)
	return o, nil
}

func name() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// run gets the URL in args and copies it to out.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil // it was asked for, and has been printed
	}
	if err != nil {
		return err
	}
	cfg, err := config(o)
	if err != nil {
		return err
	}
	bastion, err := sshtunnel.New(cfg)
	if err != nil {
		return err
	}
	defer bastion.Close()
	if o.nodes == "" {
		return get(ctx, bastion, o.url, out)
	}
	pool, err := behind(bastion, cfg, o.nodes)
	if err != nil {
		return err
	}
	defer pool.Close()
	return get(ctx, pool, o.url, out)
}

// config says how the server is verified, and who we are.
func config(o options) (cfg sshtunnel.Config, err error) {
	hosts, err := sshtunnel.NewKnownHosts([]string{o.knownHosts}, sshtunnel.FileOptions{})
	if err != nil {
		return cfg, err
	}
	credentials, err := credentials(o.key)
	if err != nil {
		return cfg, err
	}
	return sshtunnel.Config{
		Address: o.server, User: o.user, HostKeys: hosts, Credentials: []sshtunnel.Credentials{credentials},
	}, nil
}

// credentials are the key in that file, or else those of the agent.
func credentials(key string) (sshtunnel.Credentials, error) {
	if key != "" {
		return sshtunnel.NewKeyFile(key, sshtunnel.KeyFileOptions{Passphrase: noPassphrase})
	}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, errors.New("nothing to log in with: want -key FILE, or an agent's socket in SSH_AUTH_SOCK")
	}
	return sshtunnel.AgentSocket(socket), nil
}

// noPassphrase says what to do with an encrypted key.
func noPassphrase(string) ([]byte, error) {
	return nil, errors.New("this command asks for none; add the key to an agent with ssh-add, and leave out -key")
}

// behind leads to the nodes of a file, each through the bastion.
func behind(bastion dialer.Dialer, cfg sshtunnel.Config, file string) (*sshtunnel.Pool, error) {
	nodes, err := sshtunnel.NewNodesFile(file, sshtunnel.FileOptions{})
	if err != nil {
		return nil, err
	}
	cfg.Address, cfg.Via = "", bastion // each node has its own address
	return sshtunnel.NewPool(sshtunnel.PoolConfig{Nodes: nodes, Template: cfg})
}

// get copies url, gotten through d, to out. A status that is no success is an error.
func get(ctx context.Context, d dialer.Dialer, url string, out io.Writer) error {
	transport := &http.Transport{DialContext: d.DialContext}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("GET %s: %s", request.URL.Redacted(), response.Status)
	}
	_, err = io.Copy(out, response.Body)
	return err
}
