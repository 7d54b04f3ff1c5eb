"""Checking manifests of sealed-secrets where they stand, with RSA keys or without. Pure.

What would keep a value from opening is a finding, as is what our controller would refuse and theirs
would not: templates beyond what is understood, types that must not be sealed, labels that would
make it trust a Secret. To which key something is sealed cannot be told without that key, and
nothing here guesses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from sealer.bitnami_decoding import decode
from sealer.bitnami_opening import check_frame, check_result, explained, unseal
from sealer.bitnami_sealing import check_fits
from sealer.crypto.bitnami import PrivateKey
from sealer.errors import SealerError
from sealer.manifests import go_templates
from sealer.manifests.bitnami import BitnamiSealedSecret, scope_annotations
from sealer.manifests.models import SealedSecret, qualified
from sealer.sources import Found, Source
from sealer.verification import Checked, Checks, Finding, against_rule, finding_of

_FLAGS = ("true", "false")


def verify_source(
    source: Source, checks: Checks, keys: Sequence[PrivateKey] | None
) -> Iterator[Checked | Finding]:
    """Check every SealedSecret of sealed-secrets in a file.

    Args:
        source: the file.
        checks: what its rule says of namespace and scope; the rest is about our own format.
        keys: RSA keys; None: nothing is opened.

    Yields:
        Findings; and what is sound, with its items, name and scope as ours would have them, and
        the fingerprints of the keys that opened it.
    """
    for at in source.objects():
        if not at.is_bitnami():
            continue
        try:
            sealed = at.bitnami(namespace=checks.namespace)
            _check(sealed)
            opened = _open(sealed, keys) if keys is not None else ()
        except SealerError as error:
            yield finding_of(at.located(error), at)
            continue
        yield Checked(at, _as_ours(sealed), opened)
        yield from against_rule(
            at, _as_ours(sealed), checks, scope_path=("metadata", "annotations")
        )
        yield from _odd(at, sealed)


def find_duplicates(checked: Iterable[Checked]) -> Iterator[Finding]:
    """Objects that two manifests of one directory claim to be.

    In other directories they may be for other clusters; that cannot be told without keys.
    """
    seen: dict[tuple[str, str], Checked] = {}
    for item in checked:
        place = (qualified(item.sealed.metadata), str(PurePath(item.at.source.name).parent))
        first = seen.setdefault(place, item)
        if first.sealed.encrypted_data != item.sealed.encrypted_data:
            yield _finding(
                item.at,
                item.sealed,
                f"the same object as in {first.at.place}",
                hint="remove one of them, or only one of them will count",
            )


def _check(sealed: BitnamiSealedSecret) -> None:
    try:
        decode(sealed)
        check_frame(sealed)
        parsed = go_templates.check_all(sealed.template.data, item_keys=sealed.encrypted_data)
        go_templates.check_registries(parsed)
        check_fits(sealed)
    except SealerError as error:
        error.obj = str(sealed)  # and not the Secret that it becomes, which is in no file
        raise error from None


def _open(sealed: BitnamiSealedSecret, keys: Sequence[PrivateKey]) -> tuple[str, ...]:
    try:
        opened = unseal(sealed, keys)
        go_templates.check_registry_values(sealed.template.data, opened.items)
        check_result(opened)
    except SealerError as error:
        error.obj = str(sealed)
        raise explained(error, sealed, keys) from None
    return opened.keys


def _odd(at: Found, sealed: BitnamiSealedSecret) -> Iterator[Finding]:
    for name, text in scope_annotations(sealed.metadata.annotations):
        if text not in _FLAGS:
            yield _finding(
                at,
                sealed,
                f'{name} is not "true", so its scope is {sealed.scope}',
                hint='only the text "true" counts, in small letters and in quotes',
                path=("metadata", "annotations", name),
            )
    for path in sealed.unknown:
        yield _finding(
            at,
            sealed,
            f"the API server drops {path}, which this kind does not have",
            hint="remove it; of what a Secret has, labels, annotations, type and immutable stand "
            "in spec.template",
            path=tuple(path.split(".")),
        )


def _as_ours(sealed: BitnamiSealedSecret) -> SealedSecret:
    return SealedSecret(
        metadata=sealed.metadata, scope=sealed.scope, encrypted_data=sealed.encrypted_data
    )


def _finding(
    at: Found, obj: object, message: str, *, hint: str, path: Sequence[str] = ()
) -> Finding:
    return Finding(
        file=at.source.name, line=at.line(*path), obj=str(obj), key="", message=message, hint=hint
    )
