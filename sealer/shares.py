"""A secret split into shares of words (SLIP-39), of which some number gives it back. Pure.

Fewer shares tell nothing of it. Each share is words of a list, with a checksum that finds every
mistake of up to three words. A share is a secret: no message quotes a word of one.
docs/decisions/0014 says why this library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealer.errors import InvalidBackup, UsageError, WrongBackupKey

if TYPE_CHECKING:
    from shamir_mnemonic import Share

MAX_SHARES = 16
"""What SLIP-39 can number."""
_FORM = re.compile(r"(?P<needed>[0-9]{1,2})-of-(?P<made>[0-9]{1,2})")
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Split:
    """How many shares there are, and how many of them are needed."""

    needed: int
    made: int

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read `3-of-5`.

        Raises:
            UsageError: another form, or numbers with which nothing would be shared.
        """
        match = _FORM.fullmatch(text)
        split = cls(int(match["needed"]), int(match["made"])) if match else cls(0, 0)
        if not split.is_possible:
            raise UsageError(
                f"shares are made as 3-of-5: from 2 of 2 up to {MAX_SHARES} of {MAX_SHARES}"
            )
        return split

    @property
    def is_possible(self) -> bool:
        """Whether a secret can be split like this, and each share alone tells nothing."""
        return 2 <= self.needed <= self.made <= MAX_SHARES  # noqa: PLR2004 - one share alone is no split

    def __str__(self) -> str:
        return f"{self.needed}-of-{self.made}"


def split_secret(secret: bytes, split: Split) -> tuple[str, ...]:
    """Split a secret of 16 to 32 bytes (an even number) into shares of words."""
    from shamir_mnemonic import generate_mnemonics  # noqa: PLC0415 - only where shares are made

    (shares,) = generate_mnemonics(1, [(split.needed, split.made)], secret)
    return tuple(shares)


def join_shares(texts: Sequence[str]) -> bytes:
    """The secret that was split.

    Args:
        texts: shares; comment lines that begin with `#` and letters in capitals do not matter.

    Raises:
        InvalidBackup: one of them is no share or has a mistake in it; says which.
        WrongBackupKey: they are too few, or do not belong together.
    """
    from shamir_mnemonic import MnemonicError, Share, combine_mnemonics  # noqa: PLC0415 - as above

    shares: dict[int, Share] = {}
    for number, text in enumerate(texts, 1):
        try:
            share = Share.from_mnemonic(" ".join(_words(text)))
        except (MnemonicError, ValueError):
            raise InvalidBackup(
                f"share {number} is not as it was written down: a word is wrong or missing",
                hint="every word counts, in its order",
            ) from None
        _check_together(shares, share, number)
        shares[share.index] = share
    first = next(iter(shares.values()), None)
    if first is None or len(shares) < first.member_threshold:
        needed = "" if first is None else f", and {first.member_threshold} are needed"
        raise WrongBackupKey(
            f"there {_are(len(shares))} here{needed}",
            hint="--share FILE for each, or type them where you are asked",
        )
    chosen = list(shares.values())[: first.member_threshold]
    try:
        return bytes(combine_mnemonics([share.mnemonic() for share in chosen]))
    except MnemonicError:
        raise WrongBackupKey("the shares do not belong together") from None


def _words(text: str) -> list[str]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return _WORD.findall(" ".join(lines).lower())


def _check_together(shares: dict[int, Share], share: Share, number: int) -> None:
    if share.group_count != 1:
        raise InvalidBackup(f"share {number} is of another program: its shares are in groups")
    other = next(iter(shares.values()), share)
    if share.group_parameters() != other.group_parameters():
        raise WrongBackupKey(f"share {number} is not of the same backup as those before it")


def _are(number: int) -> str:
    return {0: "are no shares", 1: "is one share"}.get(number, f"are {number} shares")
