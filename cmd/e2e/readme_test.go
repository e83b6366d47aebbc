package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/konnectivity"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// block is what follows begin in a block of code of the README.
func block(t *testing.T, begin string) string {
	t.Helper()
	_, rest, found := strings.Cut(readme(t), begin)
	text, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed {
		t.Fatalf("README.md has no block with %q", begin)
	}
	return text
}

// The commands of the README are there to be copied.
func TestReadmeCommands(t *testing.T) {
	for _, program := range []string{"konnectivity-server", "konnectivity-agent"} {
		t.Run(program, func(t *testing.T) {
			checkArgs(t, program, strings.Fields(strings.NewReplacer("\\\n", " ", "'", "").Replace(block(t, "\nbin/"+program+" "))))
		})
	}
	if !strings.Contains(readme(t), "CGO_ENABLED=0 go build -o ../bin/ ./konnectivity-server ./konnectivity-agent") {
		t.Error("README.md does not say how to build the programs")
	}
}

// So are the two files.
func TestReadmeFiles(t *testing.T) {
	w := newWorld(t)
	w.write("rules.yaml", []byte(block(t, "```yaml\n# --agent-identity-rules\n")))
	w.write("policy.yaml", []byte(block(t, "```yaml\n# --policy-file\n")))
	w.server(false, "--mode=http-connect", "--agent-identity=rules", "--agent-identity-rules="+w.path("rules.yaml"))
	agent := start(t, "konnectivity-agent", "--ca-cert="+w.path("ca.crt"), "--agent-cert="+w.path("agent.crt"), "--agent-key="+w.path("agent.key"),
		"--proxy-server-host=127.0.0.1", "--proxy-server-port="+portOf(w.ports.agents), "--agent-id=node-1",
		"--health-server-port="+portOf(w.ports.agentHealth), "--admin-server-port="+portOf(w.ports.agentAdmin), "--policy-file="+w.path("policy.yaml"))
	w.up()
	if _, err := dial(t, w.client(konnectivity.ModeHTTPConnect, false), echo(t)); err == nil {
		t.Error("the policy of the file lets the agent connect to loopback")
	}
	if strings.Contains(agent.output.String(), "flag=--allow-cidrs") {
		t.Error("with a policy the agent warns that it has none")
	}
}
