"""Every vector opens to exactly what it says, and is written again to the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

from sealer.errors import SealerError
from sealer.manifests.models import SealedSecret
from sealer.manifests.writing import Data, dump
from sealer.opening import unseal
from tests.vectors.builder import TIME, Draft, Outcome, Vector, test_keys
from tests.vectors.generate import DATA, cases, make
from tests.vectors.opening import document_of, open_vector

FILES = sorted(DATA.glob("*.txt"))
CASES = dict(cases())


def _read(path: Path) -> Vector:
    return Vector.read(path.read_text(encoding="utf-8"))


def _digests(values: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(value).hexdigest() for name, value in values.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vector_has_the_expected_outcome(path: Path) -> None:
    vector = _read(path)
    outcome, values = open_vector(vector)
    assert outcome == vector.expect
    assert _digests(values) == vector.values


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vector_that_can_be_read_is_written_again_to_the_same_bytes(path: Path) -> None:
    manifest = _read(path).manifest
    try:
        sealed = SealedSecret.read(document_of(manifest))
    except SealerError:
        assert _read(path).expect in {Outcome.MALFORMED, Outcome.UNSUPPORTED_FORMAT}
    else:
        assert dump(cast("Data", sealed.to_manifest())) == manifest


def test_every_generator_has_its_file_and_every_file_its_generator() -> None:
    assert [path.stem for path in FILES] == sorted(CASES)


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_generator_still_makes_what_its_file_says(name: str, case: Callable[[], Vector]) -> None:
    made, committed = make(case), _read(DATA / f"{name}.txt")
    assert (made.expect, made.keys, made.comment, made.values) == (
        committed.expect,
        committed.keys,
        committed.comment,
        committed.values,
    )
    assert open_vector(made)[0] == committed.expect
    assert Vector.read(made.text()) == made


def test_every_outcome_has_vectors() -> None:
    assert {_read(path).expect for path in FILES} == set(Outcome)


def test_key_ids_in_the_key_file_are_those_of_the_seeds() -> None:
    lines = (DATA.parent / "keys.txt").read_text().splitlines()
    said = {line.split()[0]: line.split()[2] for line in lines if not line.startswith("#")}
    assert said == {name: key.id for name, key in test_keys().items()}


def test_value_of_one_mebibyte_opens() -> None:
    """Made here and not committed: it would be 1.4 MB."""
    value = bytes(range(256)) * 4096
    outcome, values = open_vector(Draft().seal({"password": value}).opens())
    assert outcome is Outcome.SUCCESS
    assert values["password"] == value


def test_value_of_more_than_one_mebibyte_does_not_open() -> None:
    outcome, _ = open_vector(Draft().seal({"password": bytes(2**20 + 1)}).opens())
    assert outcome is Outcome.MALFORMED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_message_repeats_a_ciphertext(path: Path) -> None:
    vector, held = _read(path), test_keys()
    try:
        sealed = SealedSecret.read(document_of(vector.manifest))
        unseal(sealed, {held[name].id: held[name] for name in vector.keys})
    except SealerError as error:
        said = f"{error} {error.hint}"
        assert not any(line[-60:] in said for line in vector.manifest.splitlines() if line[60:])


def test_time_of_the_vectors_is_the_one_in_the_format() -> None:
    assert TIME in (DATA.parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
