package e2e

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/cmd/internal/agent"
	"github.com/sallyport/sallyport/cmd/internal/flagtest"
	"github.com/sallyport/sallyport/cmd/internal/server"
)

const deploy = "../../deploy"

func readDeploy(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkArgs checks that program takes args, with each file in them there and each
// variable replaced.
func checkArgs(t *testing.T, program string, args []string) {
	t.Helper()
	var fs *pflag.FlagSet
	var validate func() error
	switch program {
	case "konnectivity-server":
		o := server.NewOptions()
		fs, validate = o.Flags(), o.Validate
	case "konnectivity-agent":
		o := agent.NewOptions()
		fs, validate = o.Flags(), o.Validate
	default:
		t.Fatalf("%s is no program of ours", program)
	}
	there := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(there, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	isFile := regexp.MustCompile(`^--([a-z]+-)+(cert|key|rules|file|path)=`)
	for i, arg := range args {
		if prefix := isFile.FindString(arg); prefix != "" {
			arg = prefix + there
		}
		args[i] = regexp.MustCompile(`\$[({][A-Z_]+[)}]`).ReplaceAllString(arg, "10.0.0.7")
	}
	flagtest.Parse(t, fs, args...)
	if err := validate(); err != nil {
		t.Error(err)
	}
	if fs.NArg() > 0 {
		t.Errorf("arguments that are no flags: %q", fs.Args())
	}
}

func TestUnits(t *testing.T) {
	for _, program := range []string{"konnectivity-server", "konnectivity-agent"} {
		t.Run(program, func(t *testing.T) {
			unit := strings.ReplaceAll(readDeploy(t, "systemd/"+program+".service"), "\\\n", " ")
			_, rest, _ := strings.Cut(unit, "\nExecStart=")
			line, _, _ := strings.Cut(rest, "\n")
			words := strings.Fields(line)
			if len(words) < 5 || filepath.Base(words[0]) != program {
				t.Fatalf("it starts %q", words)
			}
			checkArgs(t, program, words[1:])
			for _, want := range []string{"Restart=on-failure", "TimeoutStopSec=30", "ProtectKernelTunables=yes", "WantedBy=multi-user.target"} {
				if !strings.Contains(unit, "\n"+want+"\n") {
					t.Errorf("there is no %s", want)
				}
			}
		})
	}
}

// What the Dockerfile copies into an empty image must need nothing else there.
func TestDockerfile(t *testing.T) {
	text := readDeploy(t, "Dockerfile")
	for _, program := range []string{"konnectivity-server", "konnectivity-agent"} {
		for _, want := range []string{
			"FROM scratch AS " + program, "COPY --from=build /out/" + program + " /" + program, `ENTRYPOINT ["/` + program + `"]`, "USER 65532:65532",
		} {
			if !strings.Contains(text, "\n"+want+"\n") {
				t.Errorf("the Dockerfile has no line %s", want)
			}
		}
		if !strings.Contains(text, "./"+program+"\n") && !strings.Contains(text, "./"+program+" ") {
			t.Errorf("the Dockerfile does not build %s", program)
		}
		checkStatic(t, filepath.Join(programs, program))
	}
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath"} {
		if !strings.Contains(text, want) {
			t.Errorf("the Dockerfile does not build with %s", want)
		}
	}
}

// checkStatic checks that a program, which TestMain builds as the Dockerfile does,
// asks for no loader and no libraries.
func checkStatic(t *testing.T, program string) {
	t.Helper()
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Logf("%s is no ELF file here: %v", program, err)
		return
	}
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) > 0 {
		t.Errorf("%s needs %q, %v", program, libs, err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s needs a loader", program)
		}
	}
}
