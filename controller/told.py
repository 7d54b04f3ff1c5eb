"""What a watch has told of the objects of a kind, and what we have written to them since. Pure.

The answer to a write may come after the watch has told of it, and of what others have done after
it. What the watch tells is then the truer: were the answer taken for what is there, a change by
others would not be noticed before the next one.
"""

from __future__ import annotations

from typing import TypeVar

from controller.live import is_older
from controller.status import Key

T = TypeVar("T")


class Told(dict[Key, T]):
    """The objects by namespace and name.

    Attributes:
        position: resourceVersion up to which the watch has told everything; empty at first.
    """

    __slots__ = ("position",)

    def __init__(self) -> None:
        """Know of nothing."""
        super().__init__()
        self.position = ""

    def wrote(self, key: Key, new: T, version: str) -> None:
        """Take note of an object that we have written, unless the watch has come that far.

        Args:
            key: its namespace and name.
            new: what is kept of it.
            version: its resourceVersion, as the API server answered.
        """
        if version != self.position and not is_older(version, self.position):
            self[key] = new
