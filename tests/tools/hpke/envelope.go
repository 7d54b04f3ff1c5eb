package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
)

// binding is the place that a value is sealed for; namespace and name as far as the scope has them.
type binding struct{ kind, scope, namespace, name string }

func (b binding) wrapInfo(keyID, sealedAt string) []byte {
	id, _ := hex.DecodeString(keyID)
	return lp("sealer/v1/wrap", string(id), b.kind, b.scope, b.namespace, b.name, sealedAt)
}

func (b binding) itemInfo(key string) []byte {
	return lp("sealer/v1/item", b.scope, b.namespace, b.name, key)
}

func lp(fields ...string) []byte {
	var joined []byte
	for _, field := range fields {
		joined = binary.BigEndian.AppendUint32(joined, uint32(len(field)))
		joined = append(joined, field...)
	}
	return joined
}

type privateKey struct {
	id  string
	key hpke.PrivateKey
}

func newPrivateKey(seed []byte) (*privateKey, error) {
	key, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
	if err != nil {
		return nil, err
	}
	return &privateKey{keyID(key.PublicKey().Bytes()), key}, nil
}

func keyID(public []byte) string {
	suite := []byte{0x64, 0x7a, 0x00, 0x01, 0x00, 0x02}
	digest := sha256.Sum256(append(append([]byte("sealer/v1/key\x00"), suite...), public...))
	return hex.EncodeToString(digest[:16])
}

func open(raw []byte, keys map[string]*privateKey) (map[string][]byte, error) {
	sealed, err := decode(raw)
	if err != nil {
		return nil, err
	}
	chosen := map[string]decodedRecipient{}
	for _, one := range sealed.items {
		for _, recipient := range sealed.entries[one.entry].recipients {
			_, have := keys[recipient.key]
			_, done := chosen[one.entry]
			if have && !done {
				chosen[one.entry] = recipient
			}
		}
		if _, done := chosen[one.entry]; !done {
			return nil, failure{unknownKey, one.entry}
		}
	}
	dataKeys := map[string][]byte{}
	for id, recipient := range chosen {
		sealedAt := sealed.entries[id].sealedAt
		info := sealed.binding.wrapInfo(recipient.key, sealedAt)
		key := keys[recipient.key].key
		dataKey, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), info, recipient.wrapped)
		if err != nil {
			return nil, failure{altered, "wrapped"}
		}
		if subtle.ConstantTimeCompare(commit(dataKey), sealed.entries[id].commitment) != 1 {
			return nil, failure{altered, "commitment"}
		}
		dataKeys[id] = dataKey
	}
	return openItems(sealed, dataKeys)
}

func openItems(sealed decoded, dataKeys map[string][]byte) (map[string][]byte, error) {
	values := map[string][]byte{}
	for key, one := range sealed.items {
		aead := itemAEAD(dataKeys[one.entry], sealed.binding.itemInfo(key))
		padded, err := aead.Open(nil, make([]byte, 12), one.ciphertext, nil)
		if err != nil {
			return nil, failure{altered, "item"}
		}
		value := bytes.TrimRight(padded, "\x00")
		if !bytes.HasSuffix(value, []byte{0x80}) || len(padded)-len(value) > 63 {
			return nil, fail("padding")
		}
		values[key] = value[:len(value)-1]
	}
	return values, nil
}

type sealing struct {
	Kind      string            `json:"kind"`
	Scope     string            `json:"scope"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	SealedAt  string            `json:"sealedAt"`
	ID        string            `json:"id"`
	To        [][]byte          `json:"to"`
	Values    map[string][]byte `json:"values"`
}

type sealedEntry struct {
	Entry entry             `json:"entry"`
	Items map[string]string `json:"items"`
}

// run seals; namespace and name of the request are empty where the scope leaves them out.
func (s sealing) run() (*sealedEntry, error) {
	place := binding{s.Kind, s.Scope, s.Namespace, s.Name}
	dataKey := make([]byte, 32)
	rand.Read(dataKey)
	made := &sealedEntry{Items: map[string]string{}}
	made.Entry = entry{Format: "v1", SealedAt: s.SealedAt, Commitment: toBase64(commit(dataKey))}
	for _, raw := range s.To {
		public, err := hpke.MLKEM768X25519().NewPublicKey(raw)
		if err != nil {
			return nil, err
		}
		id := keyID(raw)
		info := place.wrapInfo(id, s.SealedAt)
		wrapped, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), info, dataKey)
		if err != nil {
			return nil, err
		}
		made.Entry.Recipients = append(made.Entry.Recipients, recipient{id, toBase64(wrapped)})
	}
	for key, value := range s.Values {
		padded := append(append([]byte{}, value...), 0x80)
		padded = append(padded, make([]byte, (64-len(padded)%64)%64)...)
		aead := itemAEAD(dataKey, place.itemInfo(key))
		made.Items[key] = s.ID + ":" + toBase64(aead.Seal(nil, make([]byte, 12), padded, nil))
	}
	return made, nil
}

func commit(dataKey []byte) []byte { return derive(dataKey, lp("sealer/v1/commit")) }

func derive(dataKey, info []byte) []byte {
	key, err := hkdf.Key(sha256.New, dataKey, nil, string(info), 32)
	if err != nil {
		panic(err)
	}
	return key
}

func itemAEAD(dataKey, info []byte) cipher.AEAD {
	block, err := aes.NewCipher(derive(dataKey, info))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func toBase64(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }
