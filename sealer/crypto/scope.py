"""Where a sealed value may be opened: scope, kind and the binding that is authenticated.

A binding is never stored. Sealing derives it from the manifest and mixes it into the encryption;
opening derives it again from the manifest it finds. If the two differ, nothing opens. This module
knows how a binding becomes bytes (docs/format.md, section "Binding") and nothing about encryption.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_LENGTH_BYTES = 4


class Scope(StrEnum):
    """How far a sealed value may travel, as written in `spec.scope`."""

    STRICT = "strict"
    NAMESPACE_WIDE = "namespace-wide"
    CLUSTER_WIDE = "cluster-wide"


class Kind(StrEnum):
    """What a sealed value becomes, as written in `spec.template.kind`."""

    SECRET = "Secret"  # noqa: S105 - the name of a kind, not a password
    SHARED_SECRET = "SharedSecret"  # noqa: S105 - same


def length_prefixed(*fields: str | bytes) -> bytes:
    """Join fields so that no two different lists of fields give the same bytes.

    Each field (text as UTF-8, not normalised) is preceded by its length in 4 bytes, big-endian.
    This is `lp` of docs/format.md.

    Raises:
        OverflowError: a field is 4 GiB or longer.
    """
    parts = []
    for field in fields:
        raw = field.encode() if isinstance(field, str) else field
        parts += [len(raw).to_bytes(_LENGTH_BYTES, "big"), raw]
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Binding:
    """The place a value is sealed for: kind, scope, and as much of its name as the scope binds."""

    kind: Kind
    scope: Scope
    namespace: str
    name: str

    @classmethod
    def of(cls, kind: Kind, scope: Scope, *, namespace: str, name: str) -> Binding:
        """The binding of an object; namespace and name are dropped where the scope leaves them out.

        Raises:
            ValueError: the scope binds a namespace or name that is empty.
        """
        if scope is Scope.CLUSTER_WIDE:
            return cls(kind, scope, "", "")
        if not namespace or (scope is Scope.STRICT and not name):
            raise ValueError(f"scope {scope} needs a namespace and, if strict, a name")
        return cls(kind, scope, namespace, name if scope is Scope.STRICT else "")

    def wrap_info(self, key_id: bytes, sealed_at: str) -> bytes:
        """HPKE `info` under which a data key is wrapped to the key `key_id` (16 bytes)."""
        return length_prefixed(
            "sealer/v1/wrap",
            key_id,
            self.kind,
            self.scope,
            self.namespace,
            self.name,
            sealed_at,
        )

    def item_info(self, item_key: str) -> bytes:
        """HKDF `info` from which the key of one item is derived."""
        return length_prefixed("sealer/v1/item", self.scope, self.namespace, self.name, item_key)
