package suite

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"github.com/sallyport/sallyport/internal/wire"
)

// rounds is how many packets of each type a test makes up.
const rounds = 2000

// flat is a packet's content in a form that both makes can be brought into.
type flat struct {
	typ               int32
	connectID, random int64
	protocol, address string
	err               string
	data              string
}

func flatTheirs(p *client.Packet) flat {
	f := flat{typ: int32(p.Type)}
	switch x := p.Payload.(type) {
	case *client.Packet_DialRequest:
		f.protocol, f.address, f.random = x.DialRequest.Protocol, x.DialRequest.Address, x.DialRequest.Random
	case *client.Packet_DialResponse:
		f.err, f.connectID, f.random = x.DialResponse.Error, x.DialResponse.ConnectID, x.DialResponse.Random
	case *client.Packet_CloseRequest:
		f.connectID = x.CloseRequest.ConnectID
	case *client.Packet_CloseResponse:
		f.err, f.connectID = x.CloseResponse.Error, x.CloseResponse.ConnectID
	case *client.Packet_Data:
		f.connectID, f.err, f.data = x.Data.ConnectID, x.Data.Error, string(x.Data.Data)
	case *client.Packet_CloseDial:
		f.random = x.CloseDial.Random
	}
	return f
}

func flatOurs(p *wire.Packet) flat {
	return flat{
		typ: int32(p.Type), connectID: p.ConnectID, random: p.Random,
		protocol: p.Protocol, address: p.Address, err: p.Error,
		data: string(bytes.Join(p.Payload, nil)),
	}
}

// Wire compares internal/wire with Konnectivity's generated code, packet by packet.
func Wire(t *testing.T) {
	for typ := range client.PacketType(len(client.PacketType_name)) {
		t.Run(typ.String(), func(t *testing.T) {
			if got := wire.Type(typ).String(); got != typ.String() {
				t.Errorf("we call it %s", got)
			}
			seed := rand.Uint64()
			m := maker{rand.New(rand.NewPCG(seed, 0))}
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			for range rounds {
				for _, check := range []func(*testing.T, maker, client.PacketType) error{
					toUs, toThem, throughThem, aroundUnknown, mutated,
				} {
					if err := check(t, m, typ); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// toUs: what they send, we read and would send the same way.
func toUs(t *testing.T, m maker, typ client.PacketType) error {
	theirs := m.theirs(typ)
	b := encode(t, theirs)
	ours, err := wire.Parse(b)
	if err != nil {
		return fmt.Errorf("%x: %w", b, err)
	}
	if a, b := flatOurs(&ours), flatTheirs(theirs); a != b {
		return fmt.Errorf("we read %+v, sent was %+v", a, b)
	}
	if got := wire.Append(nil, &ours); !bytes.Equal(got, b) {
		return fmt.Errorf("we encode as %x what they encode as %x", got, b)
	}
	return nil
}

// toThem: what we send, they read and would send the same way.
func toThem(t *testing.T, m maker, typ client.PacketType) error {
	ours := m.ours(wire.Type(typ), false)
	b := wire.Append(nil, &ours)
	theirs, err := decode(b)
	if err != nil {
		return fmt.Errorf("they refuse %x: %w", b, err)
	}
	if a, b := flatTheirs(theirs), flatOurs(&ours); a != b {
		return fmt.Errorf("they read %+v, sent was %+v", a, b)
	}
	if n := len(theirs.ProtoReflect().GetUnknown()); n > 0 {
		return fmt.Errorf("%d bytes of %x mean nothing to them", n, b)
	}
	if got := encode(t, theirs); !bytes.Equal(got, b) {
		return fmt.Errorf("they encode as %x what we encode as %x", got, b)
	}
	return nil
}

// throughThem: what we add does not disturb them, and is still there when they
// have passed the packet on.
func throughThem(t *testing.T, m maker, typ client.PacketType) error {
	ours := m.ours(wire.Type(typ), true)
	theirs, err := decode(wire.Append(nil, &ours))
	if err != nil {
		return fmt.Errorf("they refuse what we add: %w", err)
	}
	if a, b := flatTheirs(theirs), flatOurs(&ours); a != b {
		return fmt.Errorf("they read %+v, sent was %+v", a, b)
	}
	back, err := wire.Parse(encode(t, theirs))
	if err != nil {
		return fmt.Errorf("passed on by them: %w", err)
	}
	if a, b := wire.Append(nil, &back), wire.Append(nil, &ours); !bytes.Equal(a, b) {
		return fmt.Errorf("passed on by them it is %x, sent was %x", a, b)
	}
	return nil
}

// aroundUnknown: fields from a future neither side knows change nothing, in
// whatever buffers they come.
func aroundUnknown(t *testing.T, m maker, typ client.PacketType) error {
	theirs := m.theirs(typ)
	theirs.ProtoReflect().SetUnknown(m.unknown())
	payload := theirs.ProtoReflect().WhichOneof(theirs.ProtoReflect().Descriptor().Oneofs().Get(0))
	theirs.ProtoReflect().Get(payload).Message().SetUnknown(m.unknown())
	b := append(m.unknown(), encode(t, theirs)...)
	if again, err := decode(b); err != nil || flatTheirs(again) != flatTheirs(theirs) {
		return fmt.Errorf("the test makes packets that they do not take: %v", err)
	}
	var pieces mem.BufferSlice
	for rest := b; len(rest) > 0; {
		n := 1 + m.IntN(len(rest))
		pieces, rest = append(pieces, mem.SliceBuffer(rest[:n])), rest[n:]
	}
	var ours wire.Packet
	if err := (wire.Codec{}).Unmarshal(pieces, &ours); err != nil {
		return fmt.Errorf("%x: %w", b, err)
	}
	defer ours.Free()
	if a, b := flatOurs(&ours), flatTheirs(theirs); a != b {
		return fmt.Errorf("we read %+v, sent was %+v", a, b)
	}
	return nil
}

// stricter is why we refuse what they take: they pass a field of the wrong wire
// type over like an unknown one, and do not look whether the payload is there.
var stricter = []string{
	"without its payload", "with the payload in field", "wire type", "groups within each other",
	"not UTF-8", // in fields that are ours alone
}

// mutated: of a packet with a few bytes changed, we take no more than they do,
// read the same in it, and refuse it only for the reasons above.
func mutated(t *testing.T, m maker, typ client.PacketType) error {
	ours := m.ours(wire.Type(typ), true)
	b := wire.Append(nil, &ours)
	for range 1 + m.IntN(3) {
		switch i := m.IntN(len(b)); m.IntN(3) {
		case 0:
			b[i] = byte(m.Uint32())
		case 1:
			b[i] ^= 1 << m.IntN(8)
		case 2:
			b = append(b[:i], b[min(len(b), i+1+m.IntN(3)):]...)
		}
		if len(b) == 0 {
			break
		}
	}
	return Agree(b)
}

// Agree says how we and Konnectivity's generated code differ about b in a way
// that we should not.
func Agree(b []byte) error {
	ours, ourErr := wire.Parse(b)
	theirs, theirErr := decode(b)
	switch {
	case ourErr == nil && theirErr != nil:
		return fmt.Errorf("we take %x, they say: %w", b, theirErr)
	case ourErr != nil && theirErr != nil:
		return nil
	case ourErr != nil && ownPayload(theirs):
		return nil // they look into none of ours
	case ourErr != nil:
		for _, why := range stricter {
			if strings.Contains(ourErr.Error(), why) {
				return nil
			}
		}
		return fmt.Errorf("they take %x as %v, we say: %w", b, theirs, ourErr)
	}
	got, want := flatOurs(&ours), flatTheirs(theirs)
	if _, known := client.PacketType_name[want.typ]; !known {
		got, want = flat{typ: got.typ}, flat{typ: want.typ}
	}
	if got != want {
		return fmt.Errorf("in %x we read %+v, they read %+v", b, got, want)
	}
	return nil
}

// ownPayload reports whether a packet has one of the payloads that are ours alone.
func ownPayload(p *client.Packet) bool {
	for b := []byte(p.ProtoReflect().GetUnknown()); len(b) > 0; {
		num, _, n := protowire.ConsumeField(b)
		if num >= 100 && num <= 103 {
			return true
		}
		b = b[n:]
	}
	return false
}

func encode(t *testing.T, p *client.Packet) []byte {
	t.Helper()
	b, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(b []byte) (*client.Packet, error) {
	p := new(client.Packet)
	return p, proto.Unmarshal(b, p)
}
