package grpc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/link/message"
)

// methodConnect is the full name of the one method.
const methodConnect = "/AgentService/Connect"

// Metadata keys. gRPC makes them lower case on the wire.
const (
	keyAgentID       = "agentid"
	keyIdentifiers   = "agentidentifiers"
	keyAuthorization = "authorization"
	keyServerID      = "serverid"
	keyServerCount   = "servercount"
	// Ours, which upstream's programs ignore.
	keyFeatures = "sallyport-features"
	keyInstance = "sallyport-instance"
	keySoftware = "sallyport-software"
	keyDraining = "sallyport-draining"
)

// Features that an agent offers and a server agrees to.
const (
	// featureWindows: each connection has a window in either direction, and HTTP/2's
	// are large.
	featureWindows = "windows"
	// featureHalfClose: HALF_CLOSE, PING and PONG are understood, and DRAIN from a
	// server.
	featureHalfClose = "half-close"
)

// errNoWindows refuses a peer that has chosen a tunnel with windows and does not
// know them: HTTP/2 would let it send far more than anybody takes.
var errNoWindows = errors.New("no windows, which go with this ALPN protocol")

// offer is the metadata that says h.
func offer(h *message.Hello) metadata.MD {
	md := metadata.Pairs(
		keyAgentID, h.AgentID,
		keyIdentifiers, h.Identifiers,
		keyFeatures, strings.Join(h.Features, ","),
	)
	for key, value := range map[string]string{keyInstance: h.Instance, keySoftware: h.Software} {
		if value != "" {
			md.Set(key, value)
		}
	}
	if h.Token != "" {
		md.Set(keyAuthorization, "Bearer "+h.Token)
	}
	if h.Draining {
		md.Set(keyDraining, "true")
	}
	return md
}

// readHello is the hello in an agent's metadata. An error is the agent's fault
// and says what it did wrong.
func readHello(md metadata.MD) (message.Hello, error) {
	h := message.Hello{Version: message.Version}
	for _, field := range []struct {
		key string
		to  *string
	}{
		{keyAgentID, &h.AgentID}, {keyIdentifiers, &h.Identifiers}, {keyAuthorization, &h.Token},
		{keyInstance, &h.Instance}, {keySoftware, &h.Software},
	} {
		values := md.Get(field.key)
		if len(values) > 1 {
			return h, fmt.Errorf("%d values of %s in the metadata, want one", len(values), field.key)
		}
		if len(values) == 1 {
			*field.to = values[0]
		}
	}
	if h.AgentID == "" {
		return h, fmt.Errorf("no %s in the metadata, want one", keyAgentID)
	}
	if h.Token != "" {
		scheme, token, _ := strings.Cut(h.Token, " ")
		if !strings.EqualFold(scheme, "bearer") || token == "" {
			return h, errors.New(`authorization in the metadata is not "Bearer" and a token`)
		}
		h.Token = token
	}
	h.Features = features(md)
	h.Draining = len(md.Get(keyDraining)) > 0
	return h, nil
}

// features lists what the metadata offers or agrees to.
func features(md metadata.MD) []string {
	var list []string
	for _, value := range md.Get(keyFeatures) {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); name != "" && len(list) < 64 {
				list = append(list, name)
			}
		}
	}
	return list
}

// accept is the header that takes an agent.
func accept(r *message.Reply) metadata.MD {
	md := metadata.Pairs(keyServerID, r.ServerID, keyServerCount, strconv.FormatUint(max(r.ServerCount, 1), 10))
	if len(r.Features) > 0 {
		md.Set(keyFeatures, strings.Join(r.Features, ","))
	}
	return md
}

// readReply is the reply in a server's header. ok is false when it is not one.
func readReply(md metadata.MD) (r message.Reply, ok bool) {
	ids := md.Get(keyServerID)
	if len(ids) != 1 || ids[0] == "" {
		return r, false
	}
	r = message.Reply{Version: message.Version, ServerID: ids[0], Features: features(md)}
	if counts := md.Get(keyServerCount); len(counts) > 0 {
		if n, err := strconv.ParseUint(counts[0], 10, 16); err == nil {
			r.ServerCount = n
		}
	}
	return r, true
}

// agree returns which of the features offered are had.
func agree(offered, had []string) []string {
	return slices.DeleteFunc(slices.Clone(had), func(f string) bool { return !slices.Contains(offered, f) })
}

// refusals are the codes that a refused hello ends with.
var refusals = map[message.Status]codes.Code{
	message.Denied:          codes.PermissionDenied,
	message.Unauthenticated: codes.Unauthenticated,
	message.Unsupported:     codes.FailedPrecondition,
	message.Invalid:         codes.InvalidArgument,
	message.Unavailable:     codes.ResourceExhausted,
}

// refuse is the status that refuses an agent.
func refuse(r *message.Reply) error {
	code, ok := refusals[r.Status]
	if !ok {
		code = codes.ResourceExhausted
	}
	text := r.Text
	if text == "" {
		text = r.Status.String()
	}
	return status.Error(code, text)
}

// refused returns the refusal in the status that ended a Connect stream before
// its header. ok is false for one that is no refusal but a failure.
func refused(err error) (r message.Reply, ok bool) {
	st := status.Convert(err)
	r = message.Reply{Version: message.Version, Text: short(st.Message())}
	if st.Code() == codes.Unknown {
		r.Status = message.Unavailable // an error in words only, as upstream's server has them
		return r, true
	}
	for s, code := range refusals {
		if code == st.Code() {
			r.Status = s
			return r, true
		}
	}
	return r, false
}

// short bounds a peer's words, which are for people and logs.
func short(text string) string {
	const maxText = 1 << 10
	return text[:min(len(text), maxText)]
}
