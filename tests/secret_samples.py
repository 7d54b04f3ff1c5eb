"""Made-up Secrets of every type that Kubernetes knows, and values of many sizes."""

from __future__ import annotations

from collections.abc import Mapping

from tests.rsa_keys import OTHER

TEXT = "made-up pässwörd \U0001f511\n"
SIZES = (0, 1, 190, 65_536, 1024 * 1024)
"""Bytes; a Secret holds 1 MiB."""
TYPES: Mapping[str, Mapping[str, bytes]] = {
    "Opaque": {"password": TEXT.encode(), "bytes": bytes(range(256))},
    "kubernetes.io/basic-auth": {"username": b"made-up user", "password": b"made-up password"},
    "kubernetes.io/ssh-auth": {"ssh-privatekey": b"made-up key"},
    "kubernetes.io/dockercfg": {".dockercfg": b'{"example.com": {"auth": "made-up"}}'},
    "kubernetes.io/dockerconfigjson": {".dockerconfigjson": b'{"auths": {"a": {"auth": "x"}}}'},
    "kubernetes.io/tls": {
        "tls.crt": OTHER.certificate().encode(),
        "tls.key": OTHER.to_pem().encode(),
    },
    "bootstrap.kubernetes.io/token": {"token-id": b"abcdef", "token-secret": b"0123456789abcdef"},
    "example.com/licence": {"licence": b"made-up licence"},
}
ONLY_THEIRS = {"kubernetes.io/service-account-token": {"token": b"made-up token"}}
"""What sealed-secrets makes, and we refuse to make."""
BOOTSTRAP = "bootstrap.kubernetes.io/token"
"""For namespace kube-system only."""


def value_of(size: int) -> bytes:
    """A value of so many bytes, most of them no text."""
    return bytes(byte % 251 for byte in range(size))
