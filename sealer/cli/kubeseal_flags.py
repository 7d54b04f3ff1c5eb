"""What answers to the flags of kubeseal here, for whoever types one out of habit.

Only those that no command of ours has. docs/migrating-from-sealed-secrets.md has all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_SERVICE = "--sealed-secrets-service NAMESPACE/NAME says where their controller is"

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "--cert": "--sealing-key FILE is the public key to seal to",
        "--fetch-cert": "`sealer keys fetch` prints the public key to seal to",
        "--format": "-o yaml or -o json",
        "--secret-file": "-f FILE, or the file as an argument",
        "--sealed-secret-file": "-w FILE, or --in-place",
        "--merge-into": "`sealer set FILE KEY` changes one item of a sealed file",
        "--re-encrypt": "`sealer reseal` moves sealed files to the newest key",
        "--validate": "`sealer verify` checks sealed files",
        "--recovery-unseal": "`sealer unseal` opens sealed files",
        "--recovery-private-key": "--private-key FILE",
        "--controller-name": _SERVICE,
    }
)
"""The flag, and what to type instead."""
