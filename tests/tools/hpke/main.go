// A second implementation of the sealed format v1, written from docs/format.md alone.
//
// It reads requests as JSON objects from standard input and answers each with one JSON object:
//
//	{"open": {manifest}, "keys": ["seed in hex", …]}  →  {"outcome": …, "values": {key: base64}}
//	{"seal": {…}}                                     →  {"id": …, "entry": {…}, "items": {…}}
//
// It is there for the tests and nothing else: it prints secrets and does not look at templates.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

type request struct {
	Open json.RawMessage `json:"open"`
	Keys []string        `json:"keys"`
	Seal *sealing        `json:"seal"`
}

type answer struct {
	Outcome string            `json:"outcome"`
	Reason  string            `json:"reason"`
	Values  map[string][]byte `json:"values"`
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var asked request
		err := in.Decode(&asked)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = out.Encode(respond(asked))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
}

func respond(asked request) any {
	if asked.Seal != nil {
		made, err := asked.Seal.run()
		if err != nil {
			return answer{Outcome: "error", Reason: err.Error()}
		}
		return made
	}
	keys := map[string]*privateKey{}
	for _, text := range asked.Keys {
		seed, err := hex.DecodeString(text)
		if err != nil {
			return answer{Outcome: "error", Reason: err.Error()}
		}
		key, err := newPrivateKey(seed)
		if err != nil {
			return answer{Outcome: "error", Reason: err.Error()}
		}
		keys[key.id] = key
	}
	values, err := open(asked.Open, keys)
	var failed failure
	switch {
	case err == nil:
		return answer{Outcome: "success", Values: values}
	case errors.As(err, &failed):
		return answer{Outcome: failed.class, Reason: failed.reason}
	default:
		return answer{Outcome: malformed, Reason: err.Error()}
	}
}
