# Processes of a measurement: start, stop and the roads. bench/run.sh sources it;
# WORK, TARGET, PORT, TOOL and PROGRAMS are set by then. Everything listens on
# 127.0.0.1, and nothing is ended but what start began, by its process id.
# shellcheck shell=bash disable=SC2154

declare -A PID=()

die() {
	printf 'bench: %s\n' "$*" >&2
	exit 1
}

# start NAME COMMAND... runs it in the background, its output in $WORK/NAME.log.
start() {
	local name=$1
	shift
	"$@" >"$WORK/$name.log" 2>&1 &
	PID[$name]=$!
}

# stop NAME... ends what start began, at once, and waits for it.
stop() {
	local name
	for name in "$@"; do
		[[ -n ${PID[$name]-} ]] || continue
		kill -KILL "${PID[$name]}" 2>/dev/null || true
		wait "${PID[$name]}" 2>/dev/null || true
		unset "PID[$name]"
	done
}

# listening PORT waits until something accepts there.
listening() {
	local _
	for _ in {1..100}; do
		if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
			return
		fi
		sleep 0.05
	done
	tail -n 3 "$WORK"/*.log >&2
	die "nothing listens on port $1"
}

# free_ports fails when one of the ports is taken: a measurement through
# somebody else's process would be worse than none.
free_ports() {
	local offset
	for offset in 0 1 2 3 4 5 6 7 8; do
		if (exec 3<>"/dev/tcp/127.0.0.1/$((PORT + offset))") 2>/dev/null; then
			die "port $((PORT + offset)) is taken; choose others with --port"
		fi
	done
}

# The ports, from PORT on.
target_port() { echo "$PORT"; }
agent_port() { echo $((PORT + 1)); }  # where the exit or the server listens
relay_port() { echo $((PORT + 2)); }  # the delay in front of it
entry_port() { echo $((PORT + 3)); }  # limit2's front
server_admin() { echo $((PORT + 4)); }
agent_admin() { echo $((PORT + 5)); }
server_health() { echo $((PORT + 6)); }
agent_health() { echo $((PORT + 7)); }

# delay DELAY puts DELAY, one way, in front of agent_port, or nothing when it is
# empty, and sets far to the port that the other end connects to.
delay() {
	far=$(agent_port)
	[[ -n $1 ]] || return 0
	far=$(relay_port)
	start relay "$TOOL" relay --listen "127.0.0.1:$far" --to "127.0.0.1:$(agent_port)" --delay "$1"
	sleep 0.2
}

# up ROAD DELAY brings the road up and sets via and processes, the load tool's
# flags, and client, the command that measures it.
up() {
	local road=$1 far goroutines='debug/pprof/goroutine?debug=1'
	client=("$TOOL") via=() processes=()
	case $road in
	limit2)
		start agent "$TOOL" tlsfwd --listen "127.0.0.1:$(agent_port)" --to "$TARGET" --tls-in "${SERVER_TLS[@]}" --pprof "127.0.0.1:$(agent_admin)"
		listening "$(agent_port)"
		delay "$2"
		start server "$TOOL" tlsfwd --listen "127.0.0.1:$(entry_port)" --to "127.0.0.1:$far" --tls-out "${AGENT_TLS[@]}" --pprof "127.0.0.1:$(server_admin)"
		listening "$(entry_port)"
		via=(--via "tcp:127.0.0.1:$(entry_port)")
		;;
	inprocess-*)
		delay "$2"
		start_agent "$PROGRAMS/konnectivity-agent" "$far" --allow-cidrs=127.0.0.0/8 --protocols="${road#inprocess-}" --agent-identifiers=default-route=true
		via=(--via "inprocess:127.0.0.1:$(agent_port)" "${SERVER_TLS[@]}")
		# The server is in the client's process, whose id is known once it runs.
		client=(bash -c 'exec "$0" "$@" --pid "server=$$"' "$PROGRAMS/client")
		;;
	yamux | grpc)
		start_server "$PROGRAMS/konnectivity-server"
		delay "$2"
		start_agent "$PROGRAMS/konnectivity-agent" "$far" --allow-cidrs=127.0.0.0/8 --protocols="$road"
		;;
	upagent)
		start_server "$PROGRAMS/konnectivity-server"
		delay "$2"
		start_agent "$UPSTREAM_AGENT" "$far" --v=0
		;;
	uppair)
		start_server "$UPSTREAM_SERVER" --v=0
		delay "$2"
		start_agent "$UPSTREAM_AGENT" "$far" --v=0
		;;
	*) die "there is no road $road; the roads are: ${ROADS_ALL[*]}" ;;
	esac
	if [[ -n ${PID[server]-} ]]; then
		processes+=(--pid "server=${PID[server]},http://127.0.0.1:$(server_admin)/$goroutines")
		[[ ${#via[@]} -gt 0 ]] || via=(--via "connectu:$WORK/front.sock")
		"$TOOL" wait --target "$TARGET" "${via[@]}" >/dev/null || {
			tail -n 3 "$WORK"/*.log >&2
			die "$road did not come up"
		}
	fi
	processes+=(--pid "agent=${PID[agent]},http://127.0.0.1:$(agent_admin)/$goroutines")
}

# start_server PROGRAM FLAG... starts ours or upstream's, whose flags are the same.
start_server() {
	local program=$1
	shift
	start server "$program" --mode=http-connect --server-port=0 --uds-name="$WORK/front.sock" --delete-existing-uds-file \
		--cluster-cert="$CERTS/server.crt" --cluster-key="$CERTS/server.key" --cluster-ca-cert="$CERTS/ca.crt" \
		--agent-port="$(agent_port)" --agent-bind-address=127.0.0.1 --server-bind-address=127.0.0.1 \
		--admin-port="$(server_admin)" --admin-bind-address=127.0.0.1 \
		--health-port="$(server_health)" --health-bind-address=127.0.0.1 --enable-profiling "$@"
	listening "$(agent_port)"
}

# start_agent PROGRAM PORT FLAG... starts ours or upstream's.
start_agent() {
	local program=$1 port=$2
	shift 2
	start agent "$program" --proxy-server-host=127.0.0.1 --proxy-server-port="$port" \
		--ca-cert="$CERTS/ca.crt" --agent-cert="$CERTS/client.crt" --agent-key="$CERTS/client.key" \
		--admin-server-port="$(agent_admin)" --admin-bind-address=127.0.0.1 \
		--health-server-port="$(agent_health)" --health-server-host=127.0.0.1 --enable-profiling "$@"
	listening "$(agent_admin)"
}

# down ends the road, the target goes on.
down() { stop agent server relay; }
