# Helpers for the steps. A step is sourced by .ci/run after this file, in a
# shell of its own that stops at the first error, at the root of the repository.
# shellcheck shell=bash

# The versions of the tools, pinned so that a verdict does not change overnight.
readonly STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2
readonly GOVULNCHECK=golang.org/x/vuln/cmd/govulncheck@v1.9.0

# fail says why and ends the step.
fail() {
	printf 'ci: %s\n' "$*" >&2
	exit 1
}

# skip says why a check was left out; the step goes on.
skip() {
	printf 'skipped: %s\n' "$*"
}

# go_files lists the Go files of the repository, each ended by a NUL.
go_files() {
	find . \( -name .git -o -name testdata -o -name vendor \) -prune -o -type f -name '*.go' "$@" -print0
}

# nested_modules lists the directories below the root that are modules of their
# own, one a line. There may be none.
nested_modules() {
	local top
	for top in cmd contrib interop examples bench; do
		if [[ -d $top ]]; then
			find "$top" -name go.mod -type f -exec dirname {} \;
		fi
	done | sort
}

# each_module runs the given command in every module, the root first. It does
# not rely on set -e, which bash turns off inside conditions.
each_module() {
	local dir
	while IFS= read -r dir; do
		[[ $dir == . ]] || printf -- '-- module %s\n' "$dir"
		(cd "$dir" && "$@") || fail "$* failed in $dir"
	done < <(printf '.\n'; nested_modules)
}

# build_tool builds a pinned tool into the run's own directory and prints its path.
build_tool() {
	local bin="$CI_TMP/bin"
	GOBIN=$bin GOFLAGS='' go install "$1" >&2 || fail "cannot build $1"
	local name=${1%@*}
	printf '%s/%s\n' "$bin" "${name##*/}"
}
