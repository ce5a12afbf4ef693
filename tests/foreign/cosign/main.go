// Makes and judges cosignatures with github.com/transparency-dev/formats/note, which other people's logs and witnesses use.
//
// Standard input: {"note", "vkeys": [vkey of type 0x04], "sign": {"name", "seed"}}. 1. Every one of the vkeys has a line under the
// note that verifies. 2. Where "sign" is given, its cosignature is added. Exit code 0 and the note when all hold; else 1 and
// one line that says what does not.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

type asked struct {
	Note  string
	Vkeys []string
	Sign  *struct{ Name, Seed string }
}

func main() {
	var in asked
	err := json.NewDecoder(os.Stdin).Decode(&in)
	if err == nil {
		var made string
		if made, err = judge(in); err == nil {
			fmt.Print(made)
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func judge(in asked) (string, error) {
	for _, vkey := range in.Vkeys { // 1
		verifier, err := f_note.NewVerifierForCosignatureV1(vkey)
		if err != nil {
			return "", err
		}
		if _, err := note.Open([]byte(in.Note), note.VerifierList(verifier)); err != nil {
			return "", err
		}
	}
	if in.Sign == nil {
		return in.Note, nil
	}
	seed, err := hex.DecodeString(in.Sign.Seed) // 2
	if err != nil {
		return "", err
	}
	// Its key is given as a signer of plain notes; the id in it is not looked at.
	private := fmt.Sprintf("PRIVATE+KEY+%s+00000000+%s", in.Sign.Name, base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	signer, err := f_note.NewSignerForCosignatureV1(private)
	if err != nil {
		return "", err
	}
	text, _, found := strings.Cut(in.Note, "\n\n")
	if !found {
		return "", errors.New("not a note")
	}
	made, err := note.Sign(&note.Note{Text: text + "\n"}, signer)
	if err != nil {
		return "", err
	}
	_, line, _ := strings.Cut(string(made), "\n\n")
	return in.Note + line, nil
}
