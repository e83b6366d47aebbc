# go.mod and go.sum are what the sources ask for, in every module.
each_module go mod tidy -diff
