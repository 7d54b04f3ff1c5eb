"""The built-in types of Secret: which may be sealed at all, and what each must hold.

The rules are those of the API server's own validation and of the component that reads the Secret
later (kubelet, ingress controller, bootstrap authenticator), whichever is the stricter, because a
Secret that the API server takes and its reader then ignores is found at the worst moment. Types
that nobody here knows are left alone. What a value holds is never part of an error.

Source: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NoReturn

from sealer.errors import InvalidManifest, Refused
from sealer.manifests.models import Secret

SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type
BOOTSTRAP_TOKEN = "bootstrap.kubernetes.io/token"  # noqa: S105 - same
DOCKER_CONFIG_JSON = "kubernetes.io/dockerconfigjson"
DOCKER_CFG = "kubernetes.io/dockercfg"
BASIC_AUTH = "kubernetes.io/basic-auth"
SSH_AUTH = "kubernetes.io/ssh-auth"
TLS = "kubernetes.io/tls"
BOOTSTRAP_NAMESPACE = "kube-system"
"""The only namespace in which the API server looks for bootstrap tokens."""
BOOTSTRAP_NAME_PREFIX = "bootstrap-token-"
"""A bootstrap token is found by its Secret's name: this and the token id."""
BOOTSTRAP_ITEMS: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        "token-id": re.compile(rb"[a-z0-9]{6}"),
        "token-secret": re.compile(rb"[a-z0-9]{16}"),
    }
)
"""Source: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/"""

_BEGIN_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


def check_type_allowed(type_: str, *, namespace: str, path: str = "type") -> None:
    """Refuse the types that must not be sealed, whatever they hold.

    Args:
        type_: the type, as written.
        namespace: where the Secret is to be; may be empty.
        path: where the type stands in its document, for the error.

    Raises:
        Refused: a service account token anywhere, or a bootstrap token outside kube-system.
    """
    if type_ == SERVICE_ACCOUNT_TOKEN:
        raise Refused(
            "service account tokens are not sealed: the API server's token controller fills such a "
            "Secret itself, and a sealed copy would be a long-lived credential in Git",
            key=path,
            hint="commit a ServiceAccount and use short-lived tokens (kubectl create token)",
        )
    if type_ == BOOTSTRAP_TOKEN and namespace != BOOTSTRAP_NAMESPACE:
        raise Refused(
            f"bootstrap tokens are sealed for namespace {BOOTSTRAP_NAMESPACE} only: it is the only "
            "place where they mean anything, and a copy elsewhere is a way into the cluster",
            key="metadata.namespace",
            hint=f"set metadata.namespace to {BOOTSTRAP_NAMESPACE}",
        )


def check_type_items(secret: Secret) -> None:
    """Check that a Secret holds what its built-in type requires; other types pass.

    Raises:
        InvalidManifest: a required item is missing or is not what the type says it is.
    """
    if check := _CHECKS.get(secret.type):
        check(secret)


def check_type_keys(secret: Secret) -> None:
    """Check that the items which a built-in type requires are there, whatever they hold.

    Raises:
        InvalidManifest: one is missing.
    """
    if secret.type == BASIC_AUTH:
        _check_basic_auth(secret)
    for item_key in _REQUIRED.get(secret.type, ()):
        _required(secret, item_key)


def _check_docker_config_json(secret: Secret) -> None:
    item_key = ".dockerconfigjson"
    auths = _json_object(secret, item_key).get("auths")
    if not isinstance(auths, dict):
        raise InvalidManifest(
            'must hold "auths", a JSON object of registries',
            key=item_key,
            hint="kubectl create secret docker-registry makes the right form",
        )
    _check_registries(auths, item_key)


def _check_docker_cfg(secret: Secret) -> None:
    item_key = ".dockercfg"
    _check_registries(_json_object(secret, item_key), item_key)


def _check_registries(registries: Mapping[str, object], item_key: str) -> None:
    # A registry's name is part of the value: it is not shown.
    if not all(isinstance(entry, dict) for entry in registries.values()):
        raise InvalidManifest("every registry in it must be a JSON object", key=item_key)


def _check_basic_auth(secret: Secret) -> None:
    # As the API server: one of the two must be there, and either may be empty.
    if not {"username", "password"} & secret.data.keys():
        raise InvalidManifest(f"type {secret.type} needs username or password", key="data")


def _check_ssh_auth(secret: Secret) -> None:
    if not _required(secret, "ssh-privatekey"):
        raise InvalidManifest("must not be empty", key="ssh-privatekey")


def _check_bootstrap_token(secret: Secret) -> None:
    for item_key, form in BOOTSTRAP_ITEMS.items():
        if not form.fullmatch(_required(secret, item_key)):
            raise InvalidManifest(f"must have the form {form.pattern.decode()}", key=item_key)
    if secret.metadata.name.encode() != BOOTSTRAP_NAME_PREFIX.encode() + secret.data["token-id"]:
        raise InvalidManifest(
            f"a bootstrap token's Secret is called {BOOTSTRAP_NAME_PREFIX}<token-id>",
            key="metadata.name",
        )


def _check_tls(secret: Secret) -> None:
    """The API server accepts empty and mismatched values here, for controllers that fill them.

    A sealed Secret is filled by nobody, and a pair that does not match takes an ingress down when
    it arrives, so it must be a pair here.
    """
    certificate = _certificate_public_key(_required(secret, "tls.crt"))
    if certificate != _private_public_key(_required(secret, "tls.key")):
        raise InvalidManifest(
            "the private key does not belong to the first certificate of tls.crt",
            key="tls.key",
            hint="put the server's own certificate first, its issuers after it",
        )


def _certificate_public_key(chain: bytes) -> bytes:
    from cryptography import x509  # noqa: PLC0415 - slow to import, and few Secrets are of this type
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - same

    try:
        certificates = x509.load_pem_x509_certificates(chain)
        if len(certificates) != chain.count(_BEGIN_CERTIFICATE):
            raise ValueError("a block was passed over")  # noqa: TRY301 - reported below, like all
        return (
            certificates[0]
            .public_key()
            .public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    except Exception:  # noqa: BLE001 - odd certificates raise many things; none may pass or show
        raise InvalidManifest(
            "cannot be parsed as PEM certificates with a public key of a known kind",
            key="tls.crt",
            hint="use type Opaque if its reader does not want a PEM certificate",
        ) from None


def _private_public_key(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above

    try:
        key = serialization.load_pem_private_key(pem, password=None)
        return key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    except Exception:  # noqa: BLE001 - same
        raise InvalidManifest(
            "cannot be parsed as a PEM private key without a passphrase",
            key="tls.key",
            hint="take a passphrase off before sealing: whoever reads the Secret has none",
        ) from None


def _json_object(secret: Secret, item_key: str) -> dict[str, object]:
    raw = _required(secret, item_key)
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidManifest(
            "must be a JSON object in UTF-8, with no name twice in it",
            key=item_key,
        )
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Readers differ in which of two equal names counts; what is sealed must mean one thing.
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _required(secret: Secret, item_key: str) -> bytes:
    value = secret.data.get(item_key)
    if value is None:
        raise InvalidManifest(f"type {secret.type} needs this item", key=item_key)
    return value


_REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        DOCKER_CONFIG_JSON: (".dockerconfigjson",),
        DOCKER_CFG: (".dockercfg",),
        SSH_AUTH: ("ssh-privatekey",),
        TLS: ("tls.crt", "tls.key"),
        BOOTSTRAP_TOKEN: ("token-id", "token-secret"),
    }
)

_CHECKS: Mapping[str, Callable[[Secret], None]] = MappingProxyType(
    {
        DOCKER_CONFIG_JSON: _check_docker_config_json,
        DOCKER_CFG: _check_docker_cfg,
        BASIC_AUTH: _check_basic_auth,
        SSH_AUTH: _check_ssh_auth,
        TLS: _check_tls,
        BOOTSTRAP_TOKEN: _check_bootstrap_token,
    }
)
