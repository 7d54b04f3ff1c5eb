"""Sealed manifests among other documents, in files of every style: no other byte is touched.

The files hold comments, anchors, block scalars with tabs, flow style, CRLF, a byte order mark, and
may end without a line break. What stands around a manifest is compared byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealer import sealed_layout
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.editing import Alteration, alter
from sealer.errors import InvalidManifest
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.manifests import documents
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.offers import KeyringOffers
from sealer.opening import unseal
from sealer.resealing_text import reseal_source
from sealer.revising_text import revise
from sealer.sealing import seal
from sealer.sealing_text import Order, seal_sources
from sealer.sources import Found, Source
from tests.properties.yaml_files import FILES, File

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OLD, NEW = (UnsealingKey(name.ljust(32, b".")) for name in (b"made up: old", b"made up: new"))
VALUES = {"password": b"made-up one", "username": b"made-up two"}


def _held(key: UnsealingKey, ordinal: int, state: KeyState) -> HeldKey:
    record = KeyRecord(ordinal=ordinal, state=state, created_at=NOW)
    return HeldKey(public=key.public, record=record, unwrapper=key)


RING = Keyring.of([_held(OLD, 1, KeyState.RETIRED), _held(NEW, 2, KeyState.ACTIVE)])
SECRET = Secret(metadata=Metadata(namespace="shop", name="db"), data=VALUES)
SEALED = seal(SECRET, to=[OLD.public], scope=Scope.STRICT, now=NOW).to_manifest()
CLEAR = """\
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
stringData:
  password: made-up one
  username: made-up two
"""
STYLES = {
    "laid out": sealed_layout.dump(SEALED),
    "dumped": documents.dump(SEALED),
    "commented": documents.dump(SEALED).replace("spec:\n", "spec: # why\n\n  # because\n"),
    "wide": documents.dump(SEALED).replace("\n  ", "\n      "),
    "flow": json.dumps(SEALED) + "\n",
    "broken flow": json.dumps(SEALED, indent=1) + "\n",
}


@dataclass(frozen=True)
class Around:
    """A file with a manifest between its documents."""

    before: str
    inside: str
    after: str

    @property
    def text(self) -> str:
        """The whole file."""
        return self.before + self.inside + self.after

    def source(self) -> Source:
        """The whole file, read."""
        return Source.read("a.yaml", self.text)

    def found(self) -> Found:
        """The SealedSecret in it."""
        (found,) = [at for at in self.source().objects() if at.is_sealed()]
        return found

    def become(self, text: str) -> Around:
        """The file after an operation, of which the outside must be as it was."""
        assert text.startswith(self.before)
        assert text.endswith(self.after)
        inside = text[len(self.before) : len(text) - len(self.after)]
        if self.text.count("\r\n") == self.text.count("\n"):
            assert inside.count("\r\n") == inside.count("\n")
        if "\r" not in self.text:
            assert "\r" not in inside
        return replace(self, inside=inside)


def _between(file: File, place: int, manifest: str) -> Around:
    texts = file.texts()
    index = place % len(texts) + 1
    separator = file.separator + file.newline
    before, after = "".join(texts[:index]), "".join(texts[index:])
    if not before.endswith(file.newline):
        before += file.newline
    inside = manifest.replace("\n", file.newline)
    if not after and not file.last:
        inside = inside.removesuffix(file.newline)
    return Around(before + separator, inside, after)


def files(*manifests: str) -> st.SearchStrategy[Around]:
    return st.builds(_between, FILES, st.integers(0, 3), st.sampled_from(manifests))


def values(sealed: SealedSecret) -> Mapping[str, bytes]:
    return unseal(sealed, RING.unwrappers).secret.data


def lines_changed(before: str, after: str) -> set[str]:
    return set(before.splitlines()) ^ set(after.splitlines())


@given(files(CLEAR))
def test_sealing_replaces_the_document_and_nothing_else(around: Around) -> None:
    order = Order(to=(OLD.public,), scope=Scope.STRICT, now=NOW)
    (result,) = seal_sources([around.source()], order)
    # Comments above a Secret go with it: they may quote it.
    before, mark, comment = around.before.rpartition("---\n# about")
    apart = replace(around, before=before + "---\n", inside=comment + around.inside)
    done = (apart if mark else around).become(result.text)
    assert values(done.found().sealed()) == VALUES


@given(files(*STYLES.values()))
def test_resealing_changes_wrapped_keys_and_nothing_else(around: Around) -> None:
    offers = KeyringOffers(RING)
    result = reseal_source(around.source(), offers)
    assert (len(result.changed), result.failures) == (1, ())
    done = around.become(result.text)
    before, after = around.found().sealed(), done.found().sealed()
    assert values(after) == VALUES
    (entry_id, entry), (new_id, new) = *before.seals.items(), *after.seals.items()
    assert (new_id, replace(new, recipients=entry.recipients)) == (entry_id, entry)
    assert [recipient.key for recipient in new.recipients] == [NEW.public.id]
    assert replace(after, seals=before.seals) == before
    if "{" not in around.inside:
        changed = lines_changed(around.inside, done.inside)
        assert {line.strip(" -").partition(":")[0] for line in changed} == {"key", "wrapped"}
    assert reseal_source(done.source(), offers).text == done.text


CHANGES: dict[str, tuple[Alteration, Mapping[str, bytes]]] = {
    "another value": (
        Alteration(values={"password": b"made-up new"}),
        {**VALUES, "password": b"made-up new"},
    ),
    "one more": (Alteration(values={"token": b"made-up"}), {**VALUES, "token": b"made-up"}),
    "one less": (Alteration(removed=("username",)), {"password": VALUES["password"]}),
}


@pytest.mark.parametrize("change", CHANGES)
@given(around=files(*STYLES.values()))
def test_changing_items_leaves_everything_else(change: str, around: Around) -> None:
    alteration, expected = CHANGES[change]
    found = around.found()
    before = found.sealed()
    done = around.become(revise(found, alter(before, alteration, to=[NEW.public], now=NOW)))
    after = done.found().sealed()
    assert values(after) == expected
    assert (after.metadata, after.scope, after.template) == (
        before.metadata,
        before.scope,
        before.template,
    )
    assert done.inside.count("#") >= around.inside.count("# ") - ("one less" in change)


OPERATIONS: dict[str, Callable[[Around], str]] = {
    "reseal": lambda around: reseal_source(around.source(), KeyringOffers(RING)).text,
    "set": lambda around: revise(around.found(), around.found().sealed()),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@given(around=files(STYLES["dumped"]), name=st.sampled_from(["kind", "spec", "metadata"]))
def test_a_key_that_stands_twice_is_refused_before_anything_is_done(
    operation: str, around: Around, name: str
) -> None:
    newline = "\r\n" if "\r" in around.inside else "\n"
    twice = replace(around, inside=f"{name}: x{newline}{around.inside}")
    with pytest.raises(InvalidManifest, match="the same key stands on line"):
        OPERATIONS[operation](twice)
