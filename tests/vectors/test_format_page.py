"""What docs/format.md says in numbers is what the code does."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from pathlib import Path

import pytest

from sealer import decoding
from sealer.crypto import envelope, keys, primitives
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Binding, Kind, Scope, length_prefixed
from sealer.manifests import validation
from tests.vectors.builder import TIME, Outcome
from tests.vectors.opening import open_text

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("## Worked example")[2].partition("\n## ")[0]


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", EXAMPLE, re.DOTALL)
    assert found
    return found[1]


def _example() -> dict[str, bytes]:
    values: dict[str, str] = {}
    name = ""
    for line in _block("text").splitlines():
        name = line[:24].strip() or name
        values[name] = values.get(name, "") + line[24:].strip()
    return {name: bytes.fromhex(text) for name, text in values.items()}


def test_worked_example_can_be_recomputed() -> None:
    said = _example()
    key = UnsealingKey(said["seed"])
    data_key, value = said["data key"], said["value"]
    binding = Binding.of(Kind.SECRET, Scope.STRICT, namespace="shop", name="db")
    item_info = binding.item_info("password")
    item_key = primitives.derive(data_key, info=item_info)
    assert said == {
        "seed": bytes(range(32)),
        "sha256(raw public key)": hashlib.sha256(key.public.raw).digest(),
        "key id": bytes.fromhex(key.id),
        "data key": data_key,
        "value": b"correct horse",
        "wrap info": binding.wrap_info(bytes.fromhex(key.id), TIME),
        "commit info": length_prefixed("sealer/v1/commit"),
        "commitment": envelope.commitment(data_key),
        "item info": item_info,
        "item AEAD key": item_key,
        "padded value": primitives.pad(value),
        "item": envelope.seal_item(value, data_key=data_key, binding=binding, item_key="password"),
    }


def test_manifest_of_the_worked_example_opens() -> None:
    said = _example()
    key = UnsealingKey(said["seed"])
    outcome, values = open_text(_block("yaml"), {key.id: key})
    assert (outcome, values) == (Outcome.SUCCESS, {"password": said["value"]})


def test_manifest_of_the_worked_example_holds_the_numbers_above_it() -> None:
    said, manifest = _example(), _block("yaml")
    for name in ("commitment", "item"):
        assert b64encode(said[name]).decode() in manifest
    assert said["key id"].hex() in manifest


@pytest.mark.parametrize(
    "said",
    [
        f"| recipients of an entry | {decoding.MAX_RECIPIENTS} |",
        f"({validation.MAX_PLAIN_BYTES:,} bytes)",
        f"{validation.MAX_SEALED_BYTES:,} bytes",
        f"| item key | {validation.MAX_NAME} characters |",
        f"raw public key {primitives.PUBLIC_BYTES} (",
        f"encapsulation {primitives.ENCAPSULATION_BYTES}",
        f"wrapped data key {primitives.WRAPPED_BYTES} (",
        f"`{keys._SPKI_PREFIX.hex()}`",
        f"`{keys._PKCS8_PREFIX.hex()}`",
        'lp("sealer/v1/commit")',
        '`lp("ab", "")` is `00 00 00 02 61 62 00 00 00 00`',
    ],
)
def test_page_says_the_numbers_of_the_code(said: str) -> None:
    assert said in PAGE


def test_lp_is_as_the_page_says() -> None:
    assert length_prefixed("ab", "").hex(" ") == "00 00 00 02 61 62 00 00 00 00"


def test_page_names_every_outcome() -> None:
    assert all(outcome in PAGE for outcome in Outcome)
