"""How many requests a second are taken: some at once, and then so many as time goes on. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Pace:
    """One pace for everybody who asks.

    Who asks cannot be told apart: behind the API server's proxy all have its address, and a header
    that names another can be made up.

    Attributes:
        rate: requests a second, in the long run.
        burst: requests at once after a pause.
    """

    rate: float
    burst: int
    _left: float = field(init=False)
    _at: float = field(default=-math.inf)

    def __post_init__(self) -> None:
        self._left = self.burst

    def wait(self, now: float) -> float:
        """Take a request, or say when the next is taken.

        Args:
            now: seconds, never going back.

        Returns:
            0 if it is taken; else seconds until one is.
        """
        elapsed = max(0.0, now - self._at)
        self._left = min(self.burst, self._left + elapsed * self.rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self.rate
        self._left -= 1
        return 0.0
