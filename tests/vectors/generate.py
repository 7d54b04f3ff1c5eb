"""Make the test vectors anew: `make vectors`, or `python -m tests.vectors.generate`.

Every function of `tests.vectors.cases` is one vector: its name is the file's, its docstring the
comment. Encapsulation is random and the library cannot be told otherwise, so the files are
committed, and regenerating changes all of them without changing what they say.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
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


def main() -> None:
    """Write every file, and remove those that have no generator any more."""
    DATA.mkdir(exist_ok=True)
    made = {f"{name}.txt": make(case) for name, case in cases()}
    for old in DATA.glob("*.txt"):
        if old.name not in made:
            old.unlink()
    for name, vector in made.items():
        (DATA / name).write_text(vector.text(), encoding="utf-8")
    sys.stdout.write(f"{len(made)} vectors in {DATA}\n")


if __name__ == "__main__":
    main()
