# Each fuzz target for FUZZTIME: a number of runs, or a duration. A number unless told,
# since at the end of a duration Go before 1.27 may report "context deadline exceeded"
# for a target that found nothing (go.dev/issue/75804). The go command takes one target
# of one package at a time.
fuzztime=${FUZZTIME:-50000x}
count=0

# Packages without a fuzz target are told by their sources, so that their tests
# need not be built once more.
packages=$(go_files -name '*_test.go' | { xargs -0 -r grep -l '^func Fuzz' || true; } | xargs -r -n1 dirname | sort -u)
for dir in $packages; do
	listed=$(cd "$dir" && go test -list='^Fuzz' .) || fail "the tests of $dir do not build"
	targets=$(grep '^Fuzz' <<<"$listed" || true)
	for target in $targets; do
		printf -- '-- %s %s\n' "$dir" "$target"
		(cd "$dir" && go test -run='^$' -fuzz="^$target\$" -fuzztime="$fuzztime" -fuzzminimizetime=5s -timeout=5m .) ||
			fail "$target in $dir found something; its input is in $dir/testdata/fuzz"
		count=$((count + 1))
	done
done
printf '%d fuzz targets\n' "$count"
