# staticcheck has nothing to say, in any module.
tool=$(build_tool "$STATICCHECK")
each_module "$tool" ./...
"$tool" -tags=sshd ./internal/sshtest ./sshtunnel || fail "staticcheck of the tests with sshd"
