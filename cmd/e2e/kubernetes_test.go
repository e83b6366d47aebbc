package e2e

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is what the tests look at of an object of Kubernetes.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Data                         map[string]string
	AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
	Spec                         struct {
		Selector yaml.Node
		Ports    []struct {
			Name       string
			TargetPort string `yaml:"targetPort"`
		}
		Replicas int
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
	}
}

type pod struct {
	ServiceAccountName string `yaml:"serviceAccountName"`
	Grace              int    `yaml:"terminationGracePeriodSeconds"`
	Containers         []container
	Volumes            []struct{ Name string }
}

type container struct {
	Name, Image   string
	Args          []string
	Env           []struct{ Name string }
	Ports         []struct{ Name string }
	VolumeMounts  []mount `yaml:"volumeMounts"`
	LivenessProbe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	} `yaml:"livenessProbe"`
}

type mount struct {
	Name      string
	MountPath string `yaml:"mountPath"`
}

// objects reads all manifests.
func objects(t *testing.T) (all []object) {
	t.Helper()
	for _, file := range []string{"server.yaml", "agent.yaml"} {
		d := yaml.NewDecoder(strings.NewReader(readDeploy(t, "kubernetes/"+file)))
		for {
			var o object
			err := d.Decode(&o)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all = append(all, o)
		}
	}
	return all
}

func TestManifests(t *testing.T) {
	all := objects(t)
	has := func(kind, name string) bool {
		return slices.ContainsFunc(all, func(o object) bool { return o.Kind == kind && o.Metadata.Name == name })
	}
	for _, want := range [][2]string{
		{"Deployment", "konnectivity-server"}, {"DaemonSet", "konnectivity-agent"}, {"Deployment", "konnectivity-gateway"},
		{"ServiceAccount", "konnectivity-server"}, {"ServiceAccount", "konnectivity-agent"}, {"Service", "konnectivity-agents"},
	} {
		if !has(want[0], want[1]) {
			t.Errorf("there is no %s %s", want[0], want[1])
		}
	}
	for _, o := range all {
		if o.APIVersion == "" || o.Kind == "" || o.Metadata.Name == "" || o.Metadata.Namespace != "kube-system" {
			t.Errorf("%s %s/%s of %q: want all of it, and kube-system", o.Kind, o.Metadata.Namespace, o.Metadata.Name, o.APIVersion)
		}
		if o.Kind == "ServiceAccount" && (o.AutomountServiceAccountToken == nil || *o.AutomountServiceAccountToken) {
			t.Errorf("%s gets a token that it has no use for", o.Metadata.Name)
		}
		if o.Kind == "Deployment" || o.Kind == "DaemonSet" {
			t.Run(o.Kind+" "+o.Metadata.Name, func(t *testing.T) {
				if !has("ServiceAccount", o.Spec.Template.Spec.ServiceAccountName) {
					t.Errorf("there is no service account %q", o.Spec.Template.Spec.ServiceAccountName)
				}
				checkWorkload(t, o)
			})
		}
		if o.Kind == "Service" {
			checkService(t, o, all)
		}
	}
}

func checkWorkload(t *testing.T, o object) {
	t.Helper()
	var selector struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	}
	if err := o.Spec.Selector.Decode(&selector); err != nil {
		t.Fatal(err)
	}
	p := o.Spec.Template.Spec
	if !within(selector.MatchLabels, o.Spec.Template.Metadata.Labels) {
		t.Errorf("it selects %v and its pods are %v", selector.MatchLabels, o.Spec.Template.Metadata.Labels)
	}
	if p.Grace != 30 {
		t.Errorf("it has %d s to end, want the 30 that --drain-timeout leaves a rest of", p.Grace)
	}
	for _, c := range p.Containers {
		checkContainer(t, p, c)
	}
	if n := len(p.Containers); n != 1 {
		t.Errorf("%d containers, want one", n)
	}
}

func checkContainer(t *testing.T, p pod, c container) {
	t.Helper()
	for _, m := range c.VolumeMounts {
		if !slices.ContainsFunc(p.Volumes, func(v struct{ Name string }) bool { return v.Name == m.Name }) {
			t.Errorf("there is no volume %q", m.Name)
		}
	}
	for _, arg := range c.Args {
		if _, path, ok := strings.Cut(arg, "=/"); ok && !mounted("/"+path, c.VolumeMounts) {
			t.Errorf("%s: nothing is mounted there", arg)
		}
		for _, v := range regexp.MustCompile(`\$\(([A-Z_]+)\)`).FindAllStringSubmatch(arg, -1) {
			if !slices.ContainsFunc(c.Env, func(e struct{ Name string }) bool { return e.Name == v[1] }) {
				t.Errorf("%s: there is no variable %s", arg, v[1])
			}
		}
	}
	if probe := c.LivenessProbe.HTTPGet; probe.Path != "/healthz" || !hasPort(c, probe.Port) {
		t.Errorf("it is alive when %s of %q says so", probe.Path, probe.Port)
	}
	checkArgs(t, c.Name, slices.Clone(c.Args))
}

func hasPort(c container, name string) bool {
	return slices.ContainsFunc(c.Ports, func(p struct{ Name string }) bool { return p.Name == name })
}

func mounted(path string, mounts []mount) bool {
	return slices.ContainsFunc(mounts, func(m mount) bool { return strings.HasPrefix(path, m.MountPath+"/") })
}

func within(part, all map[string]string) bool {
	for k, v := range part {
		if all[k] != v {
			return false
		}
	}
	return len(part) > 0
}

// checkService checks that the pods it selects have the ports it leads to.
func checkService(t *testing.T, svc object, all []object) {
	t.Helper()
	var selector map[string]string
	if err := svc.Spec.Selector.Decode(&selector); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, o := range all {
		if len(o.Spec.Template.Spec.Containers) == 0 || !within(selector, o.Spec.Template.Metadata.Labels) {
			continue
		}
		found = true
		for _, p := range svc.Spec.Ports {
			if !hasPort(o.Spec.Template.Spec.Containers[0], p.TargetPort) {
				t.Errorf("service %s leads to port %q, which %s has not", svc.Metadata.Name, p.TargetPort, o.Metadata.Name)
			}
		}
	}
	if !found {
		t.Errorf("service %s leads nowhere", svc.Metadata.Name)
	}
}

// The rules of the manifest are ones the server takes.
func TestManifestsIdentityRules(t *testing.T) {
	for _, o := range objects(t) {
		if o.Kind != "ConfigMap" || o.Metadata.Name != "konnectivity-server" {
			continue
		}
		w := newWorld(t)
		w.write("identity.yaml", []byte(o.Data["identity.yaml"]))
		w.server(false, "--agent-identity-rules="+w.path("identity.yaml"))
		w.agent()
		w.up()
		return
	}
	t.Fatal("there is no ConfigMap with identity rules")
}
