# gofmt has nothing to change.
unformatted=$(go_files | xargs -0 -r gofmt -l)
if [[ -n $unformatted ]]; then
	printf '%s\n' "$unformatted"
	fail "these files need gofmt"
fi
