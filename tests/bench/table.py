"""Results as lines of text, each beside a floor that nothing can be quicker than, if known.

Without a floor, its column stays empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.measuring import Result


def lines(results: Sequence[Result], *, floor: Result | None = None) -> Iterator[str]:
    """One line for each result, and one above them; ratios are of the time for one object."""
    compared = "of floor" if floor else ""
    columns = f"{'objects':>8}{'seconds':>9}{'a second':>10}{compared:>10}{'cpu s':>8}{'MiB':>6}"
    yield f"{'':44}{columns}"
    for each in results:
        ratio = f"{floor.rate / each.rate:.2f}x" if floor else ""
        memory = f"{each.memory:.0f}" if each.memory else ""
        yield (
            f"{each.name:44}{each.objects:>8}{each.seconds:>9.2f}{each.rate:>10.0f}"
            f"{ratio:>10}{each.processor:>8.2f}{memory:>6}"
        )
