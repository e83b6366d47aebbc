module github.com/sallyport/sallyport/interop/newest

go 1.26.0

replace (
	github.com/sallyport/sallyport => ../../
	github.com/sallyport/sallyport/interop => ../
)

require github.com/sallyport/sallyport/interop v0.0.0-00010101000000-000000000000

require (
	github.com/sallyport/sallyport v0.0.0-00010101000000-000000000000 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
	google.golang.org/grpc v1.85.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	sigs.k8s.io/apiserver-network-proxy/konnectivity-client v0.37.0 // indirect
)
