"""Where keys are kept, as commands see it: a directory, or a cluster. A port; pure.

A command decides with a function of the keyring and hands that over, so that reading, deciding and
writing are one step, whether a file lock or the API server's versions make it so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sealer.keyring import Keyring
from sealer.lifecycle import Change


class KeyPlace(Protocol):
    """A keyring that can be read and changed."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    def held(self) -> Keyring:
        """All keys, private halves included.

        Raises:
            Unavailable, InvalidKey: they cannot be read.
        """

    def change(self, decide: Callable[[Keyring], Sequence[Change]], *, now: datetime) -> Keyring:
        """Read the keyring, carry out what `decide` says, and give the keyring as it is then.

        `decide` may be called again with a newer keyring, if somebody else was faster.

        Raises:
            SealerError: what `decide` raises; nothing is changed.
            Unavailable, InvalidKey: it cannot be read or written.
        """
