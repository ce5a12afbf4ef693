// Makes and judges cosignatures with github.com/transparency-dev/formats/note, which other people's logs and witnesses use.
//
// Standard input: {"note", "vkeys": [vkey of type 0x04 or 0x06], "sign": "PRIVATE+KEY+…"}. 1. Each of the vkeys has a line under
// the note that verifies. 2. Where "sign" is given, its cosignature is added; of type 0x01 it signs as 0x04. Exit code 0 and
// the note when all hold; else 1 and one line that says what does not.
package main

import (
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
	Sign  string
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
		verifier, err := verifierOf(vkey)
		if err != nil {
			return "", err
		}
		if _, err := note.Open([]byte(in.Note), note.VerifierList(verifier)); err != nil {
			return "", err
		}
	}
	if in.Sign == "" {
		return in.Note, nil
	}
	signer, err := signerOf(in.Sign) // 2
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

func verifierOf(vkey string) (note.Verifier, error) {
	if verifier, err := f_note.NewMLDSAVerifier(vkey); err == nil {
		return verifier, nil
	}
	return f_note.NewVerifierForCosignatureV1(vkey)
}

func signerOf(key string) (note.Signer, error) {
	if signer, err := f_note.NewMLDSASigner(key); err == nil {
		return signer, nil
	}
	return f_note.NewSignerForCosignatureV1(key)
}
