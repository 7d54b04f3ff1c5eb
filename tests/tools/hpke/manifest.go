package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

const (
	malformed   = "malformed"
	unsupported = "unsupported format"
	unknownKey  = "unknown key"
	altered     = "wrong binding or altered"
)

type failure struct{ class, reason string }

func (f failure) Error() string { return f.class + ": " + f.reason }

func fail(reason string) error { return failure{malformed, reason} }

type manifest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec json.RawMessage `json:"spec"`
}

type spec struct {
	Scope         *string                    `json:"scope"`
	Seals         map[string]json.RawMessage `json:"seals"`
	EncryptedData map[string]string          `json:"encryptedData"`
	Template      struct {
		Kind        *string         `json:"kind"`
		Type        json.RawMessage `json:"type"`
		Immutable   json.RawMessage `json:"immutable"`
		Metadata    json.RawMessage `json:"metadata"`
		Data        json.RawMessage `json:"data"`
		DisplayName json.RawMessage `json:"displayName"`
		Description json.RawMessage `json:"description"`
		Access      json.RawMessage `json:"access"`
	} `json:"template"`
}

type entry struct {
	Format     string      `json:"format"`
	SealedAt   string      `json:"sealedAt"`
	Commitment string      `json:"commitment"`
	Recipients []recipient `json:"recipients"`
}

type recipient struct {
	Key     string `json:"key"`
	Wrapped string `json:"wrapped"`
}

type item struct {
	entry      string
	ciphertext []byte
}

// decoded is a manifest that passed every check that needs no key (steps 1 and 2).
type decoded struct {
	binding binding
	entries map[string]decodedEntry
	items   map[string]item
}

type decodedEntry struct {
	sealedAt   string
	commitment []byte
	recipients []decodedRecipient
}

type decodedRecipient struct {
	key     string
	wrapped []byte
}

var (
	label        = `[a-z0-9]([-a-z0-9]*[a-z0-9])?`
	nameForm     = regexp.MustCompile(`\A` + label + `(\.` + label + `)*\z`)
	spaceForm    = regexp.MustCompile(`\A` + label + `\z`)
	itemKeyForm  = regexp.MustCompile(`\A[-._a-zA-Z0-9]+\z`)
	entryIDForm  = regexp.MustCompile(`\A[a-z][a-z2-7]{7}\z`)
	keyIDForm    = regexp.MustCompile(`\A[0-9a-f]{32}\z`)
	secondsForm  = "2006-01-02T15:04:05Z"
	entryMembers = []string{"format", "sealedAt", "commitment", "recipients"}
)

func strictly(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func decode(raw []byte) (decoded, error) {
	var outer manifest
	var inner spec
	if err := json.Unmarshal(raw, &outer); err != nil {
		return decoded{}, err
	}
	if outer.APIVersion != "sealer.dev/v1alpha1" || outer.Kind != "SealedSecret" {
		return decoded{}, fail("not a SealedSecret")
	}
	var loose struct {
		Seals map[string]map[string]json.RawMessage `json:"seals"`
	}
	if err := json.Unmarshal(outer.Spec, &loose); err != nil {
		return decoded{}, err
	}
	for _, members := range loose.Seals {
		var format *string
		if err := json.Unmarshal(members["format"], &format); err != nil || format == nil {
			return decoded{}, fail("entry without format")
		}
		if *format != "v1" {
			return decoded{}, failure{unsupported, "format"}
		}
	}
	if err := strictly(outer.Spec, &inner); err != nil {
		return decoded{}, err
	}
	place, err := bindingOf(outer, inner)
	if err != nil {
		return decoded{}, err
	}
	result := decoded{place, map[string]decodedEntry{}, map[string]item{}}
	for id, raw := range inner.Seals {
		if result.entries[id], err = decodeEntry(id, raw, loose.Seals[id]); err != nil {
			return decoded{}, err
		}
	}
	for key, text := range inner.EncryptedData {
		if result.items[key], err = decodeItem(key, text, result.entries); err != nil {
			return decoded{}, err
		}
	}
	return result, nil
}

func bindingOf(outer manifest, inner spec) (binding, error) {
	place := binding{kind: "Secret", scope: "strict"}
	if inner.Template.Kind != nil {
		place.kind = *inner.Template.Kind
	}
	if inner.Scope != nil {
		place.scope = *inner.Scope
	}
	name, namespace := outer.Metadata.Name, outer.Metadata.Namespace
	switch {
	case place.kind != "Secret" && place.kind != "SharedSecret":
		return place, fail("kind")
	case place.scope != "strict" && place.scope != "namespace-wide" && place.scope != "cluster-wide":
		return place, fail("scope")
	case len(name) > 253 || !nameForm.MatchString(name):
		return place, fail("name")
	case namespace == "" && place.scope == "cluster-wide":
	case len(namespace) > 63 || !spaceForm.MatchString(namespace):
		return place, fail("namespace")
	}
	if place.scope != "cluster-wide" {
		place.namespace = namespace
	}
	if place.scope == "strict" {
		place.name = name
	}
	return place, nil
}

func decodeEntry(id string, raw json.RawMessage, members map[string]json.RawMessage) (decodedEntry, error) {
	var result decodedEntry
	var read entry
	if !entryIDForm.MatchString(id) {
		return result, fail("entry id")
	}
	for _, member := range entryMembers {
		if members[member] == nil {
			return result, fail("entry without " + member)
		}
	}
	if err := strictly(raw, &read); err != nil {
		return result, err
	}
	at, err := time.Parse(secondsForm, read.SealedAt)
	if err != nil || at.Format(secondsForm) != read.SealedAt {
		return result, fail("sealedAt")
	}
	result.sealedAt = read.SealedAt
	if result.commitment, err = fromBase64(read.Commitment, 32); err != nil {
		return result, err
	}
	if len(read.Recipients) < 1 || len(read.Recipients) > 32 {
		return result, fail("number of recipients")
	}
	seen := map[string]bool{}
	for _, one := range read.Recipients {
		if !keyIDForm.MatchString(one.Key) || seen[one.Key] {
			return result, fail("key id")
		}
		seen[one.Key] = true
		wrapped, err := fromBase64(one.Wrapped, 1168)
		if err != nil {
			return result, err
		}
		result.recipients = append(result.recipients, decodedRecipient{one.Key, wrapped})
	}
	return result, nil
}

func decodeItem(key, text string, entries map[string]decodedEntry) (item, error) {
	if len(key) > 253 || !itemKeyForm.MatchString(key) || key == "." || strings.HasPrefix(key, "..") {
		return item{}, fail("item key")
	}
	id, encoded, _ := strings.Cut(text, ":")
	if _, there := entries[id]; !there {
		return item{}, fail("entry of an item")
	}
	raw, err := fromBase64(encoded, -1)
	if err != nil {
		return item{}, err
	}
	if len(raw) < 64+16 || (len(raw)-16)%64 != 0 {
		return item{}, fail("size of an item")
	}
	return item{id, raw}, nil
}

// fromBase64 decodes canonical base64; size -1 stands for any.
func fromBase64(text string, size int) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != text {
		return nil, fail("base64")
	}
	if size >= 0 && len(raw) != size {
		return nil, fail("size")
	}
	return raw, nil
}
