//go:build tools

// Package etcd pins the store of the test cluster's API server. Debian's 3.4 stalls its watches.
package etcd

import _ "go.etcd.io/etcd/server/v3"
