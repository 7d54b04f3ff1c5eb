"""What is remembered of an object of sealed-secrets, whose status has no room for it. Pure.

That at one generation and scope, one version of a Secret was right. This stays true for ever, so
an entry that is old or lost costs work and never correctness. No value, and no hash of one.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

from sealer.errors import MalformedInput
from sealer.manifests.fields import Fields

SHARDS = 64
"""ConfigMaps that share the entries: 10,000 objects are 25 kB in each, of at most 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """How an object was left.

    Attributes:
        generation: of the object.
        scope: what its annotations said, which change without a new generation.
        uid: of its Secret.
        version: resourceVersion of its Secret.
        key: fingerprint of the key that opened it; empty where there was nothing to open.
        added: the Secret is somebody else's, to which items were only added.
    """

    generation: int
    scope: str
    uid: str
    version: str
    key: str = ""
    added: bool = False

    @classmethod
    def read(cls, text: str) -> Remembered | None:
        """Read an entry; None for what is none of ours."""
        try:
            fields = Fields(json.loads(text), "")
            return cls(
                generation=fields.optional_number("g") or 0,
                scope=fields.text("s"),
                uid=fields.text("u"),
                version=fields.text("v"),
                key=fields.optional_text("k") or "",
                added=bool(fields.optional_flag("a")),
            )
        except (ValueError, RecursionError, MalformedInput):
            return None

    def to_text(self) -> str:
        """One entry, about 170 bytes."""
        entry: dict[str, object] = {
            "g": self.generation,
            "s": self.scope,
            "u": self.uid,
            "v": self.version,
        }
        entry |= {"k": self.key} if self.key else {}
        entry |= {"a": True} if self.added else {}
        return json.dumps(entry, separators=(",", ":"))


def shard_of(uid: str) -> int:
    """Where the entry of an object is, by the object's uid."""
    return zlib.crc32(uid.encode()) % SHARDS
