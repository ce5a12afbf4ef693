// Makes tlog.json with golang.org/x/mod/sumdb/tlog, an implementation that is not ours.
// go mod init vectors && go get golang.org/x/mod@latest && go run generate.go > tlog.json
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

type hashes []tlog.Hash

func (h hashes) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, x := range at {
		out[i] = h[x]
	}
	return out, nil
}

func hex(list []tlog.Hash) []string {
	out := []string{}
	for _, h := range list {
		out = append(out, fmt.Sprintf("%x", h[:]))
	}
	return out
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var stored hashes
	roots := map[string]string{}
	inclusion := []map[string]any{}
	consistency := []map[string]any{}
	want := map[int64]bool{1: true, 2: true, 3: true, 7: true, 8: true, 255: true, 256: true, 257: true, 600: true, 65536: true, 70000: true}
	for n := int64(0); n < 70000; n++ {
		new, err := tlog.StoredHashes(n, []byte(fmt.Sprintf("entry %d", n)), stored)
		check(err)
		stored = append(stored, new...)
		size := n + 1
		if !want[size] {
			continue
		}
		root, err := tlog.TreeHash(size, stored)
		check(err)
		roots[fmt.Sprint(size)] = fmt.Sprintf("%x", root[:])
		for _, i := range []int64{0, size / 3, size / 2, size - 1} {
			proof, err := tlog.ProveRecord(size, i, stored)
			check(err)
			inclusion = append(inclusion, map[string]any{"size": size, "index": i, "path": hex(proof)})
		}
		for _, old := range []int64{1, size/2 + 1, size - size/4, size} {
			if old > size {
				continue
			}
			proof, err := tlog.ProveTree(size, old, stored)
			check(err)
			consistency = append(consistency, map[string]any{"size": size, "old": old, "path": hex(proof)})
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"roots": roots, "inclusion": inclusion, "consistency": consistency}))
}
