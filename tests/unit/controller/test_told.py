"""What a watch has told is truer than the answer to a write that came before."""

from __future__ import annotations

from controller.status import Key
from controller.told import Told

KEY = Key("shop", "db")


def test_what_is_written_is_known_before_the_watch_tells_it() -> None:
    told = Told[str]()
    told.wrote(KEY, "first", "7")
    assert told == {KEY: "first"}
    told.position = "7"
    told.wrote(KEY, "second", "9")
    assert told == {KEY: "second"}


def test_an_answer_that_comes_after_the_watch_is_not_taken_for_what_is_there() -> None:
    told = Told[str]()
    told[KEY], told.position = "of somebody else", "9"
    for version in ("8", "9"):
        told.wrote(KEY, "ours", version)
        assert told == {KEY: "of somebody else"}


def test_what_the_watch_has_told_to_be_gone_stays_gone() -> None:
    told = Told[str]()
    told.position = "10"
    told.wrote(KEY, "ours", "8")
    assert told == {}
