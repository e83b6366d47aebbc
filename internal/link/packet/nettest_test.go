package packet

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/sallyport/sallyport/internal/leak"
)

// Every kind of carrier gives real conns.
func TestConn(t *testing.T) {
	for _, extended := range []bool{false, true} {
		for _, single := range []bool{false, true} {
			for _, client := range []bool{false, true} {
				t.Run(fmt.Sprintf("extended=%v,single=%v,openerIsClient=%v", extended, single, client), func(t *testing.T) {
					leak.Check(t)
					nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
						e := newEnds(t, extended, client, func(o, a *Config) {
							o.Single, a.Single = single, single
							o.Queue, a.Queue = 16<<10, 16<<10
						})
						a, b := e.conns(7)
						return a.Net(), b.Net(), e.stop, nil
					})
				})
			}
		}
	}
}
