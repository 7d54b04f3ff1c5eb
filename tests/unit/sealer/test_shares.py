from __future__ import annotations

import pytest
from shamir_mnemonic import EncryptedMasterSecret, generate_mnemonics, split_ems

from sealer.errors import InvalidBackup, UsageError, WrongBackupKey
from sealer.shares import Split, join_shares, split_secret

SECRET = bytes(range(32))
SHARES = split_secret(SECRET, Split(2, 3))
# Made once, of the bytes 00 to 1f: what has been handed out must open for ever.
WRITTEN_DOWN = (
    (
        "arena kidney academic acid academic retreat vitamins firefly axle greatest "
        "aquatic walnut tension prisoner inform grin pickup gray counter class award "
        "learn excuse cradle space goat depict endless away corner boundary plunge buyer "
    ),
    (
        "arena kidney academic always adult genuine airline visitor inmate industry "
        "galaxy chew timely arena laundry carve cause debut ecology tracks national trust "
        "omit response luck prevent pulse decent dough grocery frost short rebuild "
    ),
)


@pytest.mark.parametrize("text", ["2-of-2", "3-of-5", "16-of-16"])
def test_split_is_read_as_it_is_written(text: str) -> None:
    assert str(Split.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "3", "3-5", "1-of-5", "6-of-5", "3-of-17", "0-of-0", "3 of 5"]
)
def test_split_that_shares_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="3-of-5"):
        Split.parse(text)


def test_share_has_33_words() -> None:
    assert [len(share.split()) for share in SHARES] == [33, 33, 33]


def test_shares_that_were_written_down_once_still_join() -> None:
    assert join_shares(WRITTEN_DOWN) == SECRET


def test_comments_capitals_line_breaks_and_numbers_do_not_matter() -> None:
    words = SHARES[0].upper().split()
    numbered = "\n".join(f"{number}. {word}" for number, word in enumerate(words, 1))
    assert join_shares([f"# share 1 of 3\n{numbered}\n", SHARES[2]]) == SECRET


def test_more_shares_than_needed_are_as_good() -> None:
    assert join_shares(SHARES) == SECRET


def test_mistake_is_found_and_no_word_is_quoted() -> None:
    words = SHARES[1].split()
    wrong = [" ".join([*words[:-1], "academic"]), " ".join(words[:-1]), "made-up secret words", ""]
    for text in wrong:
        with pytest.raises(InvalidBackup, match="share 2 is not as it was written down") as caught:
            join_shares([SHARES[0], text])
        said = f"{caught.value} {caught.value.hint}".split()
        assert not set(said) & {"academic", "made-up", *words} - {"is", "as", "it", "in", "a"}


def test_shares_of_two_secrets_do_not_join() -> None:
    other = split_secret(SECRET, Split(2, 3))
    with pytest.raises(WrongBackupKey, match="share 2 is not of the same backup"):
        join_shares([SHARES[0], other[1]])


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "there are no shares here"),
        ([SHARES[0]], "there is one share here, and 2 are needed"),
        ([SHARES[0], SHARES[0]], "there is one share here, and 2 are needed"),
    ],
)
def test_too_few_shares_are_counted(texts: list[str], said: str) -> None:
    with pytest.raises(WrongBackupKey, match=said):
        join_shares(texts)


def test_shares_in_groups_are_not_ours() -> None:
    groups = generate_mnemonics(2, [(2, 3), (2, 3)], SECRET)
    with pytest.raises(InvalidBackup, match="in groups"):
        join_shares([groups[0][0], groups[0][1]])


def test_shares_that_only_look_alike_are_refused() -> None:
    def shares(secret: bytes) -> list[str]:
        identified = EncryptedMasterSecret(7, True, 1, secret)
        return [str(share.mnemonic()) for share in split_ems(1, [(2, 3)], identified)[0]]

    with pytest.raises(WrongBackupKey, match="do not belong together"):
        join_shares([shares(SECRET)[0], shares(bytes(32))[1]])
