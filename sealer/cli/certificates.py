"""The certificate of a sealed-secrets controller, and what is sealed to it.

It comes from `--sealing-key`, else from the cluster that the rule of `.sealer.yaml` names, where
that has one pinned, else from the controller itself, as kubeseal gets it. What the rule says of
namespace and scope holds for this format too. `--raw` prints what kubeseal prints for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sealer.bitnami_sealing import BitnamiOrder, seal_value
from sealer.cli.connecting import Wish, connect
from sealer.cli.inputs import read_bytes, read_text
from sealer.cli.recipients import Recipients
from sealer.cli.repository import Place, Repositories
from sealer.crypto.bitnami import Certificate, short_fingerprint
from sealer.crypto.scope import Kind, Scope
from sealer.errors import ClusterError, SealerError, UsageError
from sealer.plaintext import GIVEN
from sealer.service_proxy import DEFAULT, Endpoints, Service

_HINT = "--sealing-key cert.pem names one; `kubeseal --fetch-cert > cert.pem` gets it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says.

    Attributes:
        expired_too: an expired certificate is sealed to all the same.
        cluster: which one to ask where nothing else says.
        service: where its controller is, as `NAMESPACE/NAME`.
    """

    sealing_keys: Sequence[Path]
    now: datetime
    cluster: Wish = field(default_factory=Wish)
    service: str = DEFAULT
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
        UsageError: nothing says to which certificate, or what is wanted is not as the rule says.
        CertificateError: it must not be sealed to any more.
        FileError, InvalidKey: it cannot be read.
        InvalidConfig, Refused: the configuration cannot be read.
        ClusterError: the cluster cannot be asked.
    """
    certificate, to = recipient_for(path, wanted, repositories)
    given = wanted.scope or to.scope
    order = BitnamiOrder(
        to=certificate,
        scope=None if given is None else to.scope_or(given),
        kind=wanted.kind,
        namespace=to.namespace_or(wanted.namespace),
        namespace_by=GIVEN if wanted.namespace else to.rule,
    )
    return order, to


def recipient_for(
    path: Path | None, wanted: Wanted, repositories: Repositories
) -> tuple[Certificate, Recipients]:
    """The certificate for a file; what to call it, and what the file's rule says besides.

    Raises:
        UsageError, CertificateError, FileError, InvalidKey, InvalidConfig, Refused, ClusterError:
            as `order_for`.
    """
    place = repositories.place(path)
    found = _named(path, wanted, repositories) or _asked(place, wanted)
    certificate = found.read(wanted)
    placement = place.placement if place else None
    short = short_fingerprint(certificate.fingerprint)
    to = Recipients(
        keys=(),
        names=(f"{found.owner} ({short})" if found.owner else short,),
        namespace=placement.namespace if placement else None,
        scope=placement.scope if placement else None,
        rule=place.rule if place else "",
    )
    return certificate, to


def named(path: Path | None, wanted: Wanted, repositories: Repositories) -> Certificate | None:
    """The certificate that the command line or a configuration names; None where neither does.

    Raises:
        UsageError, CertificateError, FileError, InvalidKey, InvalidConfig, Refused: as `order_for`.
    """
    found = _named(path, wanted, repositories)
    return found.read(wanted) if found else None


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


@dataclass(frozen=True, slots=True)
class _Found:
    """The text of a certificate, where it stands, and whose it is."""

    text: str
    file: str
    owner: str = ""

    def read(self, wanted: Wanted) -> Certificate:
        try:
            certificate = Certificate.from_pem(self.text)
            certificate.check_usable(now=wanted.now, expired_too=wanted.expired_too)
        except SealerError as error:
            raise error.at(file=self.file) from None
        return certificate


def _named(path: Path | None, wanted: Wanted, repositories: Repositories) -> _Found | None:
    if wanted.sealing_keys:
        if len(wanted.sealing_keys) > 1:
            raise _several(f"--sealing-key names {len(wanted.sealing_keys)}")
        (file,) = wanted.sealing_keys
        return _Found(read_text(file), str(file))
    repository = repositories.at(Path()) if path is None else repositories.of(path)
    if repository is None or not repository.certificates():
        return None
    placement = repository.required_placement(path)
    files = {one.certificate: one.name for one in placement.clusters if one.certificate}
    if len(files) > 1:
        raise _several(f"{Place(repository, placement).rule} names {', '.join(files.values())}")
    for pinned, name in files.items():
        return _Found(read_text(repository.root / pinned), repository.shown(pinned), name)
    return None


def _asked(place: Place | None, wanted: Wanted) -> _Found:
    wish, service = wanted.cluster, Service.read(wanted.service)
    context = wish.context
    if not context and place is not None and place.placement is not None:
        clusters = place.placement.clusters
        if len(clusters) > 1:
            raise _several(f"{place.rule} names {len(clusters)} clusters")
        context = clusters[0].context or ""
    try:
        cluster = connect(wish.kubeconfig, context)
    except ClusterError:
        if wish != Wish():
            raise
        raise UsageError("there is no certificate to seal to", hint=_HINT) from None
    text = Endpoints(cluster, service).certificate()
    return _Found(text, f"Service {service}", str(service))


def _several(what: str) -> UsageError:
    return UsageError(f"this format has one recipient, and {what}", hint=_HINT)
