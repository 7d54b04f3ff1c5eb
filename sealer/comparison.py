"""What changed between two versions of sealed manifests, by object and item. Pure.

Works on what anybody can see: ciphertexts, times, key ids, templates. The same ciphertext under
other recipients is resealed, another one is changed; no key is needed and no value is met. What is
reported are names and the words of closed lists; labels, annotations, descriptions and template
texts are said to differ and are not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from sealer.crypto.scope import Kind, Scope
from sealer.errors import SealerError
from sealer.gathering import NATIVE, Gathered, Placed
from sealer.manifests.models import OPAQUE, AccessRule, SealedSecret, qualified

_IMPLIED = {"update": ("view",), "delete": ("view",)}  # DESIGN 4, SharedSecret
_USUAL = {
    "format": NATIVE,
    "scope": str(Scope.STRICT),
    "template.kind": str(Kind.SECRET),
    "template.type": OPAQUE,
    "template.immutable": "false",
}
"""What holds where a manifest does not say."""


class ObjectChange(StrEnum):
    """What became of an object; one that moved may have changed as well."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    CHANGED = "changed"


class ItemChange(StrEnum):
    """What became of an item.

    ALTERED is the same ciphertext under another time or commitment, which does not open any more.
    """

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RESEALED = "resealed"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True, order=True)
class Reader:
    """Somebody whom a SharedSecret names; `kind` is `user` or `team`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ReaderDifference:
    """What somebody may do, before and after; empty: nothing. update and delete include view."""

    reader: Reader
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field of the manifest that is not the same.

    Attributes:
        path: such as `scope` or `template.data.URL`.
        change: added, removed or changed.
        before, after: the words there; None where there is none, and for free text, which is not
            repeated. An object that was added or removed shows those that are not the usual ones.
    """

    path: str
    change: ItemChange
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDifference:
    """An item that is not the same.

    Attributes:
        before, after: when it was sealed, as the manifest claims; empty where it does not say.
        keys_added, keys_removed: ids of keys that open it now, and that do so no longer.
    """

    key: str
    change: ItemChange
    before: str = ""
    after: str = ""
    keys_added: tuple[str, ...] = ()
    keys_removed: tuple[str, ...] = ()

    @property
    def is_older(self) -> bool:
        """Whether an older value has taken the place of a newer one."""
        return self.change is ItemChange.CHANGED and "" < self.after < self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDifference:
    """An object that is not the same.

    Attributes:
        name: `namespace/name`.
        kind: what it becomes, now or at last.
        file_before, file_after: where it stood and stands; empty: nowhere.
    """

    name: str
    kind: str
    change: ObjectChange
    file_before: str
    file_after: str
    readers: tuple[ReaderDifference, ...] = ()
    fields: tuple[FieldDifference, ...] = ()
    items: tuple[ItemDifference, ...] = ()

    @property
    def is_resealed_only(self) -> bool:
        """Whether nothing but wrapped keys changed."""
        resealed = all(item.change is ItemChange.RESEALED for item in self.items)
        only = self.change is ObjectChange.CHANGED and not self.readers and not self.fields
        return only and resealed


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences, those about readers first, then SharedSecrets' templates, then by name.

    Attributes:
        problems_before, problems_after: why manifests could not be read. What was in a file that
            cannot be read now is not called removed; what is in one that could not be, is added.
    """

    objects: tuple[ObjectDifference, ...]
    problems_before: tuple[SealerError, ...] = ()
    problems_after: tuple[SealerError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    ciphertext: str = field(repr=False)
    sealed_at: str
    commitment: str
    recipients: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    # What is compared, whatever the format that it was read from. Words are shown, texts are not.
    words: Mapping[str, str]
    texts: Mapping[str, str] = field(repr=False)
    readers: Mapping[Reader, tuple[str, ...]]
    items: Mapping[str, _Item]


_LINE = re.compile(":[0-9]+$")
_NOTHING = _Facts(words={}, texts={}, readers={}, items={})


def compare(old: Gathered, new: Gathered) -> Comparison:
    """Compare two versions of a set of manifests.

    Objects are told apart by namespace and name. Where several manifests claim to be one object,
    as for two clusters, those in the same file belong together, then those with the same
    ciphertexts.
    """
    pairs = chain.from_iterable(
        _pairs(before, after) for before, after in _by_name(old.objects, new.objects)
    )
    unread = {_LINE.sub("", error.file) for error in new.problems}
    found = [
        difference
        for pair in pairs
        if (difference := _difference(*pair))
        and not (difference.change is ObjectChange.REMOVED and difference.file_before in unread)
    ]
    return Comparison(tuple(sorted(found, key=_rank)), old.problems, new.problems)


def _rank(found: ObjectDifference) -> tuple[bool, bool, str, str, str]:
    is_shared = found.kind == Kind.SHARED_SECRET and bool(found.fields)
    return not found.readers, not is_shared, found.name, found.file_after, found.file_before


def _by_name(
    old: Iterable[Placed], new: Iterable[Placed]
) -> Iterator[tuple[list[Placed], list[Placed]]]:
    groups: dict[str, tuple[list[Placed], list[Placed]]] = {}
    for side, objects in enumerate((old, new)):
        for placed in objects:
            name = qualified(placed.sealed.metadata)
            groups.setdefault(name, ([], []))[side].append(placed)
    yield from groups.values()


def _pairs(
    old: list[Placed], new: list[Placed]
) -> Iterator[tuple[Placed, Placed | None, Placed | None]]:
    # The last that is known of an object, then what it was and what it is.
    olds = list(old)
    rest = []
    for after in new:
        before = next((one for one in olds if one.file == after.file), None)
        if before is None:
            rest.append(after)
        else:
            olds.remove(before)
            yield after, before, after
    for after in rest:
        before = max(olds, key=lambda one: _shared(one, after), default=None)
        if before is not None:
            olds.remove(before)
        yield after, before, after
    for before in olds:
        yield before, before, None


def _shared(one: Placed, other: Placed) -> int:
    return len(one.sealed.encrypted_data.items() & other.sealed.encrypted_data.items())


def _difference(
    last: Placed, before: Placed | None, after: Placed | None
) -> ObjectDifference | None:
    old = _NOTHING if before is None else _facts(before)
    new = _NOTHING if after is None else _facts(after)
    found = ObjectDifference(
        name=qualified(last.sealed.metadata),
        kind=last.sealed.template.kind or Kind.SECRET,
        change=_change(before, after),
        file_before=before.file if before else "",
        file_after=after.file if after else "",
        readers=tuple(_reader_differences(old, new)),
        fields=tuple(_field_differences(old, new)),
        items=tuple(_item_differences(old, new)),
    )
    is_same = not (found.readers or found.fields or found.items)
    return None if is_same and found.change is ObjectChange.CHANGED else found


def _change(before: Placed | None, after: Placed | None) -> ObjectChange:
    if before is None:
        return ObjectChange.ADDED
    if after is None:
        return ObjectChange.REMOVED
    return ObjectChange.CHANGED if before.file == after.file else ObjectChange.MOVED


def _facts(placed: Placed) -> _Facts:
    sealed, template = placed.sealed, placed.sealed.template
    parts = {
        "metadata.labels": sealed.metadata.labels,
        "metadata.annotations": sealed.metadata.annotations,
        "template.metadata.labels": template.labels,
        "template.metadata.annotations": template.annotations,
        "template.metadata.finalizers": dict.fromkeys(placed.finalizers, ""),
        "template.data": template.data,
    }
    texts = {f"{path}.{name}": text for path, part in parts.items() for name, text in part.items()}
    single = {
        "template.displayName": template.display_name,
        "template.description": template.description,
        "template.access": repr(template.access) if template.access else None,
        "template.whenUnsynced": template.when_unsynced,
    }
    words = {
        "format": placed.format,
        "scope": sealed.scope,
        "template.kind": template.kind,
        "template.type": template.type,
        "template.immutable": "true" if template.immutable else None,
    }
    return _Facts(
        words=_USUAL | {path: word for path, word in words.items() if word is not None},
        texts=texts | {path: text for path, text in single.items() if text is not None},
        readers=_readers(template.access),
        items={key: _item(sealed, text) for key, text in sealed.encrypted_data.items()},
    )


def _item(sealed: SealedSecret, text: str) -> _Item:
    entry = sealed.seals.get(text.partition(":")[0])
    return _Item(
        ciphertext=text,
        sealed_at=entry.sealed_at if entry else "",
        commitment=entry.commitment if entry else "",
        recipients={one.key: one.wrapped for one in entry.recipients} if entry else {},
    )


def _readers(rules: Iterable[AccessRule]) -> dict[Reader, tuple[str, ...]]:
    found: dict[Reader, set[str]] = {}
    for rule in rules:
        verbs = {*rule.verbs, *chain.from_iterable(_IMPLIED.get(verb, ()) for verb in rule.verbs)}
        for kind, names in (("user", rule.users), ("team", rule.teams)):
            for name in names:
                found.setdefault(Reader(kind, name), set()).update(verbs)
    return {
        reader: ("*",) if "*" in verbs else tuple(sorted(verbs)) for reader, verbs in found.items()
    }


def _reader_differences(old: _Facts, new: _Facts) -> Iterator[ReaderDifference]:
    for reader in sorted({*old.readers, *new.readers}):
        before, after = old.readers.get(reader, ()), new.readers.get(reader, ())
        if before != after:
            yield ReaderDifference(reader, before, after)


def _field_differences(old: _Facts, new: _Facts) -> Iterator[FieldDifference]:
    for path, usual in _USUAL.items():
        before, after = old.words.get(path), new.words.get(path)
        if (before or usual) != (after or usual):
            yield FieldDifference(path, _presence(before, after), before, after)
    regrouped = old.readers == new.readers
    for path in sorted({*old.texts, *new.texts}):
        was, now = old.texts.get(path), new.texts.get(path)
        if was != now and (regrouped or path != "template.access"):
            yield FieldDifference(path, _presence(was, now))


def _presence(before: object | None, after: object | None) -> ItemChange:
    if before is None:
        return ItemChange.ADDED
    return ItemChange.REMOVED if after is None else ItemChange.CHANGED


def _item_differences(old: _Facts, new: _Facts) -> Iterator[ItemDifference]:
    for key in sorted({*old.items, *new.items}):
        before, after = old.items.get(key), new.items.get(key)
        if before == after:
            continue
        keys_before, keys_after = _keys(before), _keys(after)
        yield ItemDifference(
            key=key,
            change=_item_change(before, after),
            before=before.sealed_at if before else "",
            after=after.sealed_at if after else "",
            keys_added=tuple(sorted(keys_after - keys_before)),
            keys_removed=tuple(sorted(keys_before - keys_after)),
        )


def _keys(item: _Item | None) -> set[str]:
    # Of those of sealed-secrets it is not known.
    return {key for key in item.recipients if key} if item else set()


def _item_change(before: _Item | None, after: _Item | None) -> ItemChange:
    if before is None or after is None or before.ciphertext != after.ciphertext:
        return _presence(before, after)
    same = (before.sealed_at, before.commitment) == (after.sealed_at, after.commitment)
    return ItemChange.RESEALED if same else ItemChange.ALTERED
