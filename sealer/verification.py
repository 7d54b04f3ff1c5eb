"""Checking sealed manifests where they stand, without a cluster, with keys or without. Pure.

Everything that would make opening fail later and can be known now is a finding. With private keys
each object is opened too, and what comes out is thrown away. What is authentic is not what is
right: whoever may write to Git can put an older manifest back, and no check here would see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from sealer.crypto.keys import Unwrapper
from sealer.crypto.scope import Scope
from sealer.decoding import decode
from sealer.errors import SealerError
from sealer.manifests.models import SealedSecret, qualified
from sealer.opening import unseal
from sealer.sealing import check_fits
from sealer.sources import Found, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that falls short.

    Attributes:
        file: path, as the user calls it.
        line: from 1; 0 where it is not known.
        obj: `Kind namespace/name`; empty where a file is no manifest at all.
        key: item key or field path; may be empty.
        hint: what to do about it; may be empty.
    """

    file: str
    line: int
    obj: str
    key: str
    message: str
    hint: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f"key {self.key}" if self.key else ""
        return ": ".join(part for part in (place, self.obj, key, self.message) if part)

    def to_json(self) -> dict[str, object]:
        """What `json.dumps` takes: the object by its name, as all reports for programs have it."""
        return {
            "file": self.file,
            "line": self.line,
            "object": self.obj.partition(" ")[2],
            "key": self.key,
            "message": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Checks:
    """What to check besides the form.

    Attributes:
        unwrappers: private keys by id; None: nothing is opened.
        sealing_keys: ids of keys that every entry must be sealed to, and what to call them.
        namespace: the one of all objects, also of those that name none; empty: any.
        scope: the one of all objects; None: any.
        rule: what says so about namespace and scope, for messages.
    """

    unwrappers: Mapping[str, Unwrapper] | None = None
    sealing_keys: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    scope: Scope | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A SealedSecret that is well-formed, and the keys that opened it (none were asked: empty).

    Its namespace is filled in where the manifest names none and something else says.
    """

    at: Found = field(repr=False)
    sealed: SealedSecret
    keys: tuple[str, ...]


def verify_source(source: Source, checks: Checks) -> Iterator[Checked | Finding]:
    """Check every SealedSecret of a file: what is well-formed and opens, or why it is not so."""
    for at in source.objects():
        if not at.is_sealed():
            continue
        try:
            sealed = at.sealed(namespace=checks.namespace)
            decode(sealed)
            check_fits(sealed)
            opened = unseal(sealed, checks.unwrappers) if checks.unwrappers is not None else None
        except SealerError as error:
            yield finding_of(at.located(error), at)
            continue
        yield Checked(at, sealed, opened.keys if opened else ())
        yield from against_rule(at, sealed, checks, scope_path=("spec", "scope"))
        yield from _missing_recipients(at, sealed, checks)


def find_duplicates(checked: Iterable[Checked]) -> Iterator[Finding]:
    """Objects that two manifests claim to be.

    Two directories may hold the same object for two clusters, so manifests of different
    directories count only if they are sealed to the same keys. What was rendered from a manifest
    says the same, and whichever counts does not matter.
    """
    seen: dict[tuple[str, ...], Checked] = {}
    for item in checked:
        name = qualified(item.sealed.metadata)
        folder = str(PurePath(item.at.source.name).parent)
        for identity in ((name, folder), (name, "", *_recipients(item.sealed))):
            first = seen.setdefault(identity, item)
            if replace(first.sealed, metadata=item.sealed.metadata) != item.sealed:
                yield _finding(
                    item.at,
                    str(item.sealed),
                    f"the same object as in {first.at.place}",
                    hint="remove one of them, or only one of them will count",
                )
                break


def finding_of(error: SealerError, at: Found | None = None) -> Finding:
    """An error as a finding."""
    file, colon, line = error.file.rpartition(":")
    known = bool(colon) and line.isdecimal()
    name = at.source.name if at else (file if known else error.file)
    return Finding(
        file=name,
        line=int(line) if known else 0,
        obj=error.obj,
        key=error.key,
        message=error.message,
        hint=error.hint,
    )


def against_rule(
    at: Found, sealed: SealedSecret, checks: Checks, *, scope_path: Sequence[str]
) -> Iterator[Finding]:
    """What is not as the rule for its file says; the scope stands at `scope_path`."""
    namespace, scope = sealed.metadata.namespace, sealed.scope or Scope.STRICT
    if checks.namespace and namespace != checks.namespace:
        yield _finding(
            at,
            str(sealed),
            f"{checks.rule} says namespace {checks.namespace}",
            hint="move the file, or change the rule",
            path=("metadata", "namespace"),
        )
    if checks.scope is not None and scope != checks.scope:
        yield _finding(
            at,
            str(sealed),
            f"its scope is {scope}, and {checks.rule} says {checks.scope}",
            hint="seal the values anew, or change the rule",
            path=scope_path,
        )


def _missing_recipients(at: Found, sealed: SealedSecret, checks: Checks) -> Iterator[Finding]:
    for entry_id, entry in sealed.seals.items():
        present = {recipient.key for recipient in entry.recipients}
        missing = [name for key, name in checks.sealing_keys.items() if key not in present]
        items = _items_of(sealed, entry_id)
        if missing and items:
            yield _finding(
                at,
                str(sealed),
                f"{', '.join(items)} not sealed to {', '.join(missing)}",
                hint="`sealer reseal` moves it to a newer key of a cluster that opens it already; "
                "for others, set the value anew",
                path=("spec", "seals", entry_id),
            )


def _items_of(sealed: SealedSecret, entry_id: str) -> list[str]:
    return [key for key, text in sealed.encrypted_data.items() if text.startswith(f"{entry_id}:")]


def _recipients(sealed: SealedSecret) -> list[str]:
    return sorted(
        {recipient.key for entry in sealed.seals.values() for recipient in entry.recipients}
    )


def _finding(at: Found, obj: str, message: str, *, hint: str, path: Sequence[str] = ()) -> Finding:
    return Finding(
        file=at.source.name, line=at.line(*path), obj=obj, key="", message=message, hint=hint
    )
