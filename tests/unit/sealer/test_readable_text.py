"""What Git's diff driver shows: everything but ciphertexts, and those by size and fingerprint."""

from __future__ import annotations

import re

from sealer.readable_text import readable

LONG = "QUJD" * 400
OTHER = "REVG" * 400
MANIFEST = f"""\
# first: {LONG}
apiVersion: sealer.dev/v1alpha1
kind: SealedSecret
metadata: {{name: db}}
spec:
  seals:
    aaaaaaaa:
      commitment: "{"Y29t" * 11}"
      recipients:
      - {{key: "0123", wrapped: {LONG}}}
  encryptedData:
    password: "aaaaaaaa:{OTHER}"
    short: aaaaaaaa:c2hvcnQ=
  template: {{data: {{URL: "postgres://{{{{ password }}}}"}}}}
---
kind: ConfigMap
binaryData: {{file: {"R0hJ" * 400}}}
"""


def test_ciphertexts_are_cut_to_size_and_fingerprint_and_nothing_else_changes() -> None:
    shown = readable(MANIFEST)
    kept = re.sub(r"<\d+ bytes [0-9a-f]{10}>", "", shown)
    whole = MANIFEST.replace(LONG, "").replace(OTHER, "").replace("Y29t" * 11, "")
    assert kept == whole
    assert "wrapped: <1200 bytes " in shown
    assert re.search(r'password: "aaaaaaaa:<1200 bytes [0-9a-f]{10}>"', shown)


def test_another_ciphertext_has_another_fingerprint() -> None:
    assert readable(MANIFEST) != readable(MANIFEST.replace(OTHER, "REVH" * 400))
    assert readable(MANIFEST) == readable(MANIFEST)


def test_what_is_no_yaml_or_holds_nothing_sealed_stays_as_it_is() -> None:
    for text in ("kind: SealedSecret\n<<<<<<< ours\n", f"kind: ConfigMap\nx: {LONG}\n", ""):
        assert readable(text) == text


def test_manifests_that_are_not_what_they_should_be_are_no_trouble() -> None:
    head = "apiVersion: sealer.dev/v1alpha1\nkind: SealedSecret\n"
    for rest in (
        "spec: 1\n",
        "spec: {seals: [1], encryptedData: {a: 1}}\n",
        "spec: {seals: {a: 1}}\n",
    ):
        assert readable(head + rest) == head + rest
