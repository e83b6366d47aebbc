package program

import (
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/cmd/internal/logs"
)

// DefaultDrain leaves a few seconds of the 30 that Kubernetes gives a pod to end.
const DefaultDrain = 25 * time.Second

// Common are the values of the flags that both programs have under one name and
// with one meaning. Use NewCommon for the defaults.
type Common struct {
	Profiling, Contention bool

	LeaseNamespace              string
	Kubeconfig, KubeContentType string
	XfrChannelSize              int
	WarnOnChannelLimit          bool

	Log *logs.Options
	// Set is the set of all flags of the program, once AddFlags was called.
	Set *pflag.FlagSet
}

// NewCommon returns the defaults, which of the last two are each program's own.
func NewCommon(xfrChannelSize int, warnOnChannelLimit bool) Common {
	return Common{
		LeaseNamespace: "kube-system", KubeContentType: "application/vnd.kubernetes.protobuf",
		XfrChannelSize: xfrChannelSize, WarnOnChannelLimit: warnOnChannelLimit,
		Log: logs.NewOptions(),
	}
}

// AddFlags adds the flags to fs, with c's values as defaults.
func (c *Common) AddFlags(fs *pflag.FlagSet) {
	c.Set = fs
	fs.BoolVar(&c.Profiling, "enable-profiling", c.Profiling, "serve /debug/pprof/ on the admin port")
	fs.BoolVar(&c.Contention, "enable-contention-profiling", c.Contention, "profile blocking, too; needs --enable-profiling")
	fs.StringVar(&c.LeaseNamespace, "lease-namespace", c.LeaseNamespace, "accepted, no effect")
	fs.StringVar(&c.Kubeconfig, "kubeconfig", c.Kubeconfig, "accepted, no effect")
	fs.StringVar(&c.KubeContentType, "kube-api-content-type", c.KubeContentType, "accepted, no effect")
	fs.IntVar(&c.XfrChannelSize, "xfr-channel-size", c.XfrChannelSize, "accepted, no effect")
	fs.BoolVar(&c.WarnOnChannelLimit, "warn-on-channel-limit", c.WarnOnChannelLimit, "accepted, no effect")
	c.Log.AddFlags(fs)
}

// Given reports whether the flag name was given, with whatever value.
func (c *Common) Given(name string) bool { return c.Set != nil && c.Set.Changed(name) }

// Profile begins what the profiling flags ask for.
func (c *Common) Profile() {
	if c.Contention {
		runtime.SetBlockProfileRate(1)
	}
}

// NoAPI is why the flags of the Kubernetes API have nothing to switch.
const NoAPI = "this program speaks to no Kubernetes API"

// Unused lists those of the flags that have nothing to switch here.
func (c *Common) Unused() []flags.Unused {
	const window = "each connection has flow control of its own, there are no shared channels"
	return append(logs.Unused(),
		flags.Unused{Name: "lease-namespace", Why: NoAPI},
		flags.Unused{Name: "kubeconfig", Why: NoAPI},
		flags.Unused{Name: "kube-api-content-type", Why: NoAPI},
		flags.Unused{Name: "xfr-channel-size", Why: window},
		flags.Unused{Name: "warn-on-channel-limit", Why: window},
	)
}
