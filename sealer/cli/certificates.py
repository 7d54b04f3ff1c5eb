"""`--to bitnami`: the certificate of a sealed-secrets controller, and what is sealed to it.

A certificate is named with `--sealing-key`. Where a file lies below a `.sealer.yaml`, what its rule
says of namespace and scope holds for this format too. `--raw` prints what kubeseal prints for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealer.bitnami_sealing import BitnamiOrder, seal_value
from sealer.cli.inputs import read_bytes, read_text
from sealer.cli.recipients import Recipients
from sealer.cli.repository import Repositories
from sealer.crypto.bitnami import Certificate, short_fingerprint
from sealer.crypto.scope import Kind, Scope
from sealer.errors import SealerError, UsageError
from sealer.plaintext import GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says.

    Attributes:
        expired_too: an expired certificate is sealed to all the same.
    """

    sealing_keys: Sequence[Path]
    now: datetime
    expired_too: bool = False
    scope: Scope | None = None
    kind: Kind | None = None
    namespace: str = ""


def order_for(
    path: Path | None, wanted: Wanted, repositories: Repositories
) -> tuple[BitnamiOrder, Recipients]:
    """How to seal what goes into a file, and what to call the recipient.

    Args:
        path: the file, or the one that standard output is sealed for; None for neither.
        wanted: what the command line says.
        repositories: where configurations are looked up.

    Raises:
        UsageError: not one certificate is named, or what is wanted is not as the rule says.
        CertificateError: it must not be sealed to any more.
        FileError, InvalidKey: it cannot be read.
        InvalidConfig, Refused: the configuration cannot be read.
    """
    certificate = _read(wanted)
    place = repositories.place(path)
    placement = place.placement if place else None
    to = Recipients(
        keys=(),
        names=(short_fingerprint(certificate.fingerprint),),
        namespace=placement.namespace if placement else None,
        scope=placement.scope if placement else None,
        rule=place.rule if place else "",
    )
    given = wanted.scope or to.scope
    order = BitnamiOrder(
        to=certificate,
        scope=None if given is None else to.scope_or(given),
        kind=wanted.kind,
        namespace=to.namespace_or(wanted.namespace),
        namespace_by=GIVEN if wanted.namespace else to.rule,
    )
    return order, to


def seal_raw(order: BitnamiOrder, *, name: str, from_files: Sequence[str]) -> str:
    """One value as it stands in `encryptedData`, without a line break, as kubeseal prints it.

    Raises:
        UsageError: there are several values, or there is no name, and the scope binds it.
        InvalidManifest: name or namespace are not valid, or there is no namespace.
        FileError: the value cannot be read.
    """
    if len(from_files) > 1:
        raise UsageError("this format is sealed value by value; one --from-file at a time")
    scope = order.scope or Scope.STRICT
    if not name and scope is Scope.STRICT:
        raise UsageError("scope strict binds the Secret's name", hint="--name NAME")
    key, equals, file = (from_files[0] if from_files else "-").partition("=")
    value = read_bytes(file if equals else key)
    return seal_value(value, to=order.to, scope=scope, namespace=order.namespace, name=name)


def _read(wanted: Wanted) -> Certificate:
    if len(wanted.sealing_keys) != 1:
        raise UsageError(
            f"this format has one recipient, and --sealing-key names {len(wanted.sealing_keys)}",
            hint="--sealing-key cert.pem; `kubeseal --fetch-cert > cert.pem` gets it",
        )
    (path,) = wanted.sealing_keys
    try:
        certificate = Certificate.from_pem(read_text(path))
        certificate.check_usable(now=wanted.now, expired_too=wanted.expired_too)
    except SealerError as error:
        raise error.at(file=str(path)) from None
    return certificate
