package proxy

import (
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// method is upstream's: its protobuf files have no package.
const method = "/ProxyService/Proxy"

// featuresKey is where an end of ours says what it understands beyond upstream's
// protocol, separated by commas: the client in its request, the server in its
// header.
const (
	featuresKey = "sallyport-features"
	halfClose   = "half-close" // HALF_CLOSE, and CLOSE_RSP with a reason from either end
)

func features() metadata.MD { return metadata.Pairs(featuresKey, halfClose) }

// understands reports whether md is of an end with the feature.
func understands(md metadata.MD, feature string) bool {
	for _, list := range md.Get(featuresKey) {
		for name := range strings.SplitSeq(list, ",") {
			if strings.TrimSpace(name) == feature {
				return true
			}
		}
	}
	return false
}

// Service describes the service, for grpc.Server.RegisterService. serve is
// called for each stream.
func Service(serve func(grpc.ServerStream) error) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "ProxyService",
		Streams: []grpc.StreamDesc{{
			StreamName:    "Proxy",
			Handler:       func(_ any, stream grpc.ServerStream) error { return serve(stream) },
			ServerStreams: true,
			ClientStreams: true,
		}},
	}
}

// streamDesc describes the stream to a client.
var streamDesc = grpc.StreamDesc{StreamName: "Proxy", ServerStreams: true, ClientStreams: true}

// networks are those that a DIAL_REQ may ask for. A Dialer behind the server
// might know more, and must not be brought to it.
var networks = []string{"tcp", "tcp4", "tcp6"}

func isNetwork(name string) bool { return slices.Contains(networks, name) }
