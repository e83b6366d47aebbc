# The quickstart works, and fast enough to be watched.
limit=15
bin="$CI_TMP/quickstart"
[[ -d examples/quickstart ]] || fail "examples/quickstart is missing"
(cd examples/quickstart && go build -o "$bin" .)

begin=$SECONDS status=0
timeout "$limit" "$bin" || status=$?
((status != 124)) || fail "the quickstart did not end within ${limit}s"
((status == 0)) || fail "the quickstart ended with $status"
printf 'the built program took %ds\n' $((SECONDS - begin))

(cd examples/quickstart && timeout 120 go run .) >/dev/null || fail "go run ./examples/quickstart ended with $?"
