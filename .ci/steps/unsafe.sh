# Nothing outside of tests turns verification off. Comments may speak of it.
pattern='InsecureSkipVerify[[:space:]]*[:=]+[[:space:]]*true|InsecureIgnoreHostKey[[:space:]]*\('
found=$(go_files ! -name '*_test.go' | xargs -0 -r grep -nHE "$pattern" | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//' || true)
if [[ -n $found ]]; then
	printf '%s\n' "$found"
	fail "verification is turned off outside of tests"
fi
