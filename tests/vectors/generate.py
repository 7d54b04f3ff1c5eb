"""Make the test vectors anew: `make vectors`, or `python -m tests.vectors.generate [NAME]…`.

Every function of `tests.vectors.cases` is one vector: its name is the file's, its docstring the
comment. Encapsulation is random and the library cannot be told otherwise, so the files are
committed, and regenerating changes all of them without changing what they say.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.vectors.builder import FOLDER, Vector
from tests.vectors.cases import altered, malformed, refused, success

DATA = FOLDER / "data"


def cases() -> Iterator[tuple[str, Callable[[], Vector]]]:
    """Name and generator of every vector."""
    for module in (success, altered, malformed, refused):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                yield name, function


def make(case: Callable[[], Vector]) -> Vector:
    """Run one generator."""
    return replace(case(), comment=inspect.getdoc(case) or "")


def main(wanted: Sequence[str]) -> None:
    """Write the files named, or all; remove those that have no generator any more."""
    DATA.mkdir(exist_ok=True)
    generators = dict(cases())
    for old in DATA.glob("*.txt"):
        if old.stem not in generators:
            old.unlink()
    for name in wanted or generators:
        text = make(generators[name]).text()
        (DATA / f"{name}.txt").write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(wanted or generators)} vectors written to {DATA}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
