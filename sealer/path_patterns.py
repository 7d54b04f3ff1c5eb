"""Patterns for paths in a repository, as rules of `.sealer.yaml` have them. Pure.

A pattern stands for whole paths, seen from the folder of the configuration: `*` is any run of
characters but `/`, `?` one of them, and `**` as a whole step any number of folders, none among
them; `apps/` is short for `apps/**`. Nothing is negated, escaped or matched at another depth than
it is written: a pattern that two readers could take for two things seals for the wrong cluster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sealer.errors import InvalidConfig

_STEP = r"(?:\*\*|(?!\.{1,2}(?:/|$))(?![^/]*\*\*)[^/\\\[\]{}\x00-\x1f]+)"
PATTERN = rf"^(?!!)(?:{_STEP}/)*{_STEP}/?$"
"""What a pattern looks like, as a regular expression that JSON schemas know too."""
_SHAPE = re.compile(PATTERN.removesuffix("$") + r"\Z")
_ANY = "**"


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern that has been checked."""

    text: str

    @classmethod
    def read(cls, text: str) -> PathPattern:
        """Check a pattern.

        Raises:
            InvalidConfig: it has no meaning here.
        """
        if not _SHAPE.match(text):
            raise InvalidConfig(
                "not a pattern for paths",
                hint="such as apps/shop/** or apps/*/db.yaml: seen from the folder of this file, "
                "`**` only as a whole step, without [ ] { } and a leading / or !",
            )
        return cls(text)

    def matches(self, path: str) -> bool:
        """Whether a path, relative and with forward slashes, is one of those meant."""
        return _match(path.split("/"), self._steps())

    def covers_all(self) -> bool:
        """Whether every path matches."""
        return set(self._steps()) == {_ANY}

    def _steps(self) -> list[str]:
        steps = self.text.split("/")
        return [*steps[:-1], _ANY] if steps[-1] == "" else steps


def _match(names: list[str], steps: list[str]) -> bool:
    # Goes back to the last `**` only: an earlier one could not do better, so this stays quadratic.
    at = step = 0
    again: tuple[int, int] | None = None
    while at < len(names):
        if step < len(steps) and steps[step] == _ANY:
            again = (at, step)
            step += 1
        elif step < len(steps) and fnmatchcase(names[at], steps[step]):
            at, step = at + 1, step + 1
        elif again is not None:
            again = (again[0] + 1, again[1])
            at, step = again[0], again[1] + 1
        else:
            return False
    return all(rest == _ANY for rest in steps[step:])
