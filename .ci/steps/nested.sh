# Modules of their own get the same treatment as the root.
check() { go vet ./... && go test -timeout=10m ./...; }
count=0
while IFS= read -r dir; do
	printf -- '-- module %s\n' "$dir"
	(cd "$dir" && check) || fail "module $dir"
	count=$((count + 1))
done < <(nested_modules)
printf '%d nested modules\n' "$count"
