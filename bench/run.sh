#!/usr/bin/env bash
# Measures the tunnel and prints Markdown: bash bench/run.sh [option...] [what...]
# BENCHMARKS.md tells how to read it.
#
# What to measure, one after the other; table unless told:
#   table      our programs beside the yardstick, with the goals
#   growth     connections from 1 to 10,000, agents from 1 to 1,000
#   fairness   one bulk stream beside 100 interactive ones
#   memory     1,000 streams that nobody reads, at 50 ms
#   parts      the Go benchmarks, ready for benchstat
#
#   --rounds N            rounds of the table, and counts of parts (default 3)
#   --roads LIST          roads of the table, separated by commas (default all):
#                         limit2,yamux,grpc,upagent,uppair,inprocess-yamux,inprocess-grpc
#   --rows LIST           groups of rows: core,stall,delay (default all)
#   --quick               small counts, short times: shows that it works, not how well
#   --load-tool DIR       sources of the load tool (default ../shared/bench beside
#                         the repository, or $TUNNELBENCH_SRC)
#   --upstream-server FILE, --upstream-agent FILE
#                         upstream's two programs; without them their roads are
#                         left out, and the table says so
#   --out FILE            also keep the load tool's results, as lines of JSON
#   --port N              first of nine ports on 127.0.0.1 (default 21700)
#
# It exits with 1 when a measurement has failed or had errors. Missed goals are no
# error.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
. "$HERE/lib.sh"

ROADS_ALL=(limit2 yamux grpc upagent uppair inprocess-yamux inprocess-grpc)
ROUNDS=3 ROADS=("${ROADS_ALL[@]}") ROWS=core,stall,delay QUICK= OUT= PORT=21700 WHAT=()
LOAD_TOOL=${TUNNELBENCH_SRC:-$ROOT/../shared/bench}
UPSTREAM_SERVER= UPSTREAM_AGENT=

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

while (($# > 0)); do
	case $1 in
	-h | --help) usage && exit ;;
	--quick) QUICK=1 && shift && continue ;;
	table | growth | fairness | memory | parts) WHAT+=("$1") && shift && continue ;;
	--*) [[ $# -gt 1 ]] || die "$1 needs a value, or is no option; see --help" ;;
	*) die "$1 is nothing to measure; see --help" ;;
	esac
	case $1 in
	--rounds) ROUNDS=$2 ;;
	--roads) IFS=, read -ra ROADS <<<"$2" ;;
	--rows) ROWS=$2 ;;
	--load-tool) LOAD_TOOL=$2 ;;
	--upstream-server) UPSTREAM_SERVER=$(realpath -e "$2") ;;
	--upstream-agent) UPSTREAM_AGENT=$(realpath -e "$2") ;;
	--out) OUT=$(realpath -m "$2") ;;
	--port) PORT=$2 ;;
	*) die "there is no option $1; see --help" ;;
	esac
	shift 2
done
((${#WHAT[@]} > 0)) || WHAT=(table)

WORK=$(mktemp -d)
PROGRAMS=$WORK/bin CERTS=$WORK/certs TOOL=$WORK/bin/tunnelbench TARGET=127.0.0.1:$PORT
finish() {
	stop "${!PID[@]}"
	[[ -z $OUT || ! -s $WORK/results.jsonl ]] || cp "$WORK/results.jsonl" "$OUT"
	rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$PROGRAMS"
: >"$WORK/results.jsonl"

# build_roads builds the load tool, its in-process client, and our two programs.
# The load tool is no dependency of any module here: a workspace that lives as
# long as this script joins the two.
build_roads() {
	[[ -f $LOAD_TOOL/go.mod ]] || die "no load tool in $LOAD_TOOL; say where its sources are with --load-tool"
	LOAD_TOOL=$(cd "$LOAD_TOOL" && pwd)
	local workspace=$WORK/go.work
	(cd "$WORK" && GOWORK=off go work init && GOWORK=$workspace go work use "$HERE" "$LOAD_TOOL")
	(cd "$HERE" && GOWORK=$workspace go build -o "$TOOL" tunnelbench)
	(cd "$HERE" && GOWORK=$workspace go build -o "$PROGRAMS/client" inprocess/client/main.go)
	(cd "$ROOT/cmd" && GOWORK=off CGO_ENABLED=0 go build -o "$PROGRAMS" ./konnectivity-server ./konnectivity-agent)
	(cd "$HERE" && GOWORK=off go build -o "$PROGRAMS/table" ./table)
}

# has ROWS-GROUP
has() { [[ ,$ROWS, == *,$1,* ]]; }

# load COMMAND FLAG... measures the road that is up.
load() { "${client[@]}" "$@" --label "$label" --round "$round" --target "$TARGET" "${via[@]}" "${processes[@]}" >>"$WORK/results.jsonl"; }

# measure_road ROAD runs every group of rows on it, each stall on a fresh tunnel.
measure_road() {
	local label=$1 road=$1 direction conns core=idle,dial,pingpong,throughput,dialrate,halfclose
	# Upstream's pair is there to compare throughput with.
	if [[ $road == uppair ]]; then core=dial,pingpong,throughput; fi
	if has core; then
		up "$road" ''
		load suite --only "$core" "${CORE[@]}"
		down
	fi
	# One stalled connection stops upstream's pair for good, and it has no windows.
	[[ $road != uppair ]] || return 0
	if has stall; then
		for direction in up down; do
			up "$road" ''
			load hol --dir "$direction" "${STALL[@]}"
			down
		done
	fi
	# Upstream's agent has no goal at 50 ms.
	[[ $road != upagent ]] || return 0
	if has delay; then
		label=$road@50ms
		up "$road" 25ms
		for conns in 1 8; do
			for direction in up down; do
				load throughput --dir "$direction" --conns "$conns" "${DELAY[@]}"
			done
		done
		down
	fi
}

# conditions says what the figures are figures of.
conditions() {
	printf -- '- %s, commit %s%s\n' "$(date -u +%F)" "$(git -C "$ROOT" rev-parse --short HEAD 2>/dev/null || echo unknown)" \
		"$([[ -z $(git -C "$ROOT" status --porcelain 2>/dev/null) ]] || echo ', with changes')"
	printf -- '- %s cores, %s; %s GiB; %s %s; %s\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		"$(awk '/^MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo)" "$(uname -s)" "$(uname -r)" "$(cd "$HERE" && go env GOVERSION)"
	printf -- '- load before: %s%s\n' "$(cut -d' ' -f1-3 /proc/loadavg)" "${1:+; $1}"
}

run_table() {
	free_ports
	build_roads
	CORE=(--bytes 1073741824 --cap 4s) STALL=() DELAY=(--bytes 1073741824 --cap 6s)
	if [[ -n $QUICK ]]; then
		CORE=(--bytes 134217728 --cap 1s --n 200 --for 500ms --hold 300ms --settle 300ms)
		STALL=(--push-for 500ms) DELAY=(--bytes 134217728 --cap 1s)
	fi
	local roads=() road left=''
	for road in "${ROADS[@]}"; do
		if [[ $road == upagent && -z $UPSTREAM_AGENT || $road == uppair && -z $UPSTREAM_AGENT$UPSTREAM_SERVER ]]; then
			left="$left $road"
		else
			roads+=("$road")
		fi
	done
	[[ " ${roads[*]} " == *' limit2 '* ]] || die "without the road limit2 there is nothing to compare with"
	if [[ " ${roads[*]} " == *' uppair '* && -z $UPSTREAM_SERVER ]]; then die "uppair needs --upstream-server, too"; fi
	[[ -z $left ]] || printf 'not measured for want of upstream'"'"'s programs:%s\n' "$left" >&2

	"$TOOL" certs --dir "$CERTS"
	SERVER_TLS=(--ca "$CERTS/ca.crt" --cert "$CERTS/server.crt" --key "$CERTS/server.key")
	AGENT_TLS=(--ca "$CERTS/ca.crt" --cert "$CERTS/client.crt" --key "$CERTS/client.key")
	start target "$TOOL" target --listen "$TARGET"
	listening "$PORT"
	local about round
	about=$(conditions "rounds: $ROUNDS${QUICK:+, quick: not figures to keep}")
	for ((round = 1; round <= ROUNDS; round++)); do
		for road in "${roads[@]}"; do
			printf '%s round %d of %d: %s\n' "$(date +%T)" "$round" "$ROUNDS" "$road" >&2
			measure_road "$road"
		done
	done
	stop target
	printf '%s\n\n' "$about"
	"$PROGRAMS/table" "$WORK/results.jsonl"
}

# run_program NAME builds and runs one of the programs beside this script.
run_program() {
	(cd "$HERE" && GOWORK=off go build -o "$PROGRAMS/$1" "./$1")
	conditions "${QUICK:+quick: not figures to keep}"
	printf '\n'
	"$PROGRAMS/$1" ${QUICK:+-quick}
}

# run_picking shows that picking does not depend on the number of agents.
run_picking() {
	local time=200ms
	[[ -z $QUICK ]] || time=1x
	printf '\nPicking, by the number of agents:\n\n```\n'
	(cd "$ROOT" && GOWORK=off go test -run='^$' -bench='^BenchmarkPick$' -benchmem -benchtime="$time" ./konnectivity | grep '^Benchmark')
	printf '```\n'
}

run_parts() {
	local time=1s
	[[ -z $QUICK ]] || time=1x
	(cd "$ROOT" && GOWORK=off go test -run='^$' -bench=. -benchmem -benchtime="$time" -count="$ROUNDS" -timeout=60m ./...)
}

for what in "${WHAT[@]}"; do
	case $what in
	table) run_table ;;
	parts) run_parts ;;
	growth) run_program growth && run_picking ;;
	*) run_program "$what" ;;
	esac
	printf '\n'
done
