# The SSH tunnel against a real OpenSSH server, on loopback and with throwaway
# keys. It is installed where it is missing; without it this step fails.
as_root() { if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi; }

# Whoever runs the checks wants no server on port 22: nothing is started on
# installation.
install_sshd() {
	local policy=/usr/sbin/policy-rc.d ours=false status=0
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 0755 "$policy"
		ours=true
	fi
	as_root apt-get update -q &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends openssh-server ||
		status=$?
	if $ours; then
		as_root rm -f "$policy"
	fi
	return "$status"
}

export PATH="$PATH:/usr/sbin:/usr/local/sbin"
if ! command -v sshd >/dev/null; then
	command -v apt-get >/dev/null || fail "there is no sshd, and no apt-get to install openssh-server with"
	install_sshd || fail "openssh-server cannot be installed"
fi
sshd=$(command -v sshd) || fail "openssh-server is installed, and there is no sshd"
printf '%s: ' "$sshd"
ssh -V 2>&1 || true

go vet -tags=sshd ./internal/sshtest ./sshtunnel ./examples/bastion
CGO_ENABLED=1 go test -race -tags=sshd -run=SSHD -count=1 -timeout=10m ./internal/sshtest ./sshtunnel ./examples/bastion
