// Judges a shard of the log with golang.org/x/mod/sumdb/tlog and note, the code that guards Go's own module sums.
//
// Standard input: {"dir", "vkey", "receipts": [text], "consistency": [{"size", "root", "path": [hex]}]}.
// 1. The checkpoint's signature. 2. Every entry is the leaf that the tiles hold, each tile proven up to the signed root.
// 3. Every receipt's path leads from its entry to that root. 4. Every older size and root is a beginning of the tree.
// Exit code 0 and {"size", "root"} when all hold; else 1 and one line that says what does not.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8 // a full tile has 256 hashes

type older struct {
	Size int64
	Root string
	Path []string
}

type asked struct {
	Dir         string
	Vkey        string
	Receipts    []string
	Consistency []older
}

// tiles reads them from a directory laid out as c2sp.org/tlog-tiles says: without the height in the path.
type tiles struct{ dir string }

func (t tiles) Height() int { return height }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.dir, path))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func main() {
	var in asked
	err := json.NewDecoder(os.Stdin).Decode(&in)
	if err == nil {
		var tree tlog.Tree
		if tree, err = judge(in); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(map[string]any{"size": tree.N, "root": hex.EncodeToString(tree.Hash[:])})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(in asked) (tlog.Tree, error) {
	raw, err := os.ReadFile(filepath.Join(in.Dir, "checkpoint"))
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, err := signed(string(raw), in.Vkey) // 1
	if err != nil {
		return tree, err
	}
	reader := tlog.TileHashReader(tree, tiles{in.Dir})
	if err := entries(in.Dir, tree, reader); err != nil { // 2
		return tree, err
	}
	for _, text := range in.Receipts { // 3
		if err := receipt(text, in.Vkey); err != nil {
			return tree, err
		}
	}
	for _, old := range in.Consistency { // 4
		if err := begins(tree, old); err != nil {
			return tree, err
		}
	}
	return tree, nil
}

// signed opens a checkpoint: size and root, proven by the key.
func signed(checkpoint, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open([]byte(checkpoint), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not three lines of the origin %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// entries compares every entry with the leaf that the tiles hold.
func entries(dir string, tree tlog.Tree, reader tlog.HashReader) error {
	const width = 1 << height
	for first := int64(0); first < tree.N; first += width {
		w := min(tree.N-first, width)
		tile := tlog.Tile{H: height, L: -1, N: first / width, W: int(w)}
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		at := make([]int64, w)
		for i := range at {
			at[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		leaves, err := reader.ReadHashes(at)
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("%s ends early", path)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			if tlog.RecordHash(data[2:end]) != leaf {
				return fmt.Errorf("%s: entry %d is not the leaf in the tree", path, first+int64(i))
			}
			data = data[end:]
		}
		if len(data) != 0 {
			return fmt.Errorf("%s has bytes after its last entry", path)
		}
	}
	return nil
}

// receipt checks a c2sp.org/tlog-proof@v1 that carries its entry.
func receipt(text, vkey string) error {
	head, checkpoint, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("not a receipt")
	}
	entry, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	tree, err := signed(checkpoint, vkey)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return fmt.Errorf("receipt of entry %d: %w", index, err)
	}
	return nil
}

// begins checks that the older tree is the beginning of this one.
func begins(tree tlog.Tree, old older) error {
	var proof tlog.TreeProof
	for _, text := range append([]string{old.Root}, old.Path...) {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != tlog.HashSize {
			return fmt.Errorf("not a hash: %q", text)
		}
		proof = append(proof, tlog.Hash(raw))
	}
	if err := tlog.CheckTree(proof[1:], tree.N, tree.Hash, old.Size, proof[0]); err != nil {
		return fmt.Errorf("size %d: %w", old.Size, err)
	}
	return nil
}
