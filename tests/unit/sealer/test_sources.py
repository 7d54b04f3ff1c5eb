"""An object of an earlier text of a file is found in a later one, or that is an error of ours."""

from __future__ import annotations

import pytest

from sealer.errors import InvalidManifest
from sealer.sources import Source


def test_an_object_is_found_again_where_it_was() -> None:
    before = Source.read("a.yaml", "kind: A\n---\nitems:\n- kind: B\n")
    after = Source.read("a.yaml", "kind: A2\n---\nitems:\n- kind: B2\n")
    assert [after.again(at).value for at in before.objects()] == [{"kind": "A2"}, {"kind": "B2"}]
    gone = Source.read("a.yaml", "kind: A\n---\nitems:\n- 1\n")
    *_, last = before.objects()
    with pytest.raises(TypeError):
        gone.again(last)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_conflict_is_called_one(end: str) -> None:
    text = "a: 1\nb:\n<<<<<<< HEAD\n  c: 1\n=======\n  c: 2\n>>>>>>> topic\n"
    with pytest.raises(
        InvalidManifest, match=r"a\.yaml:3: a conflict that is not resolved"
    ) as caught:
        Source.read("a.yaml", text.replace("\n", end))
    assert ">>>>>>>" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["a: [\n", "a: [\n<<<<<<< HEAD\n", "a: [\n<<<<<<< HEAD\n>>>>>>> x\n=======\n"]
)
def test_what_is_no_conflict_is_not_called_one(text: str) -> None:
    with pytest.raises(InvalidManifest, match="no YAML"):
        Source.read("a.yaml", text)


def test_a_conflict_in_a_text_is_the_texts_own() -> None:
    text = "a: |\n  x\n  <<<<<<< HEAD\n  =======\n  >>>>>>> topic\n"
    assert Source.read("a.yaml", text).documents[0].value == {"a": text[5:].replace("  ", "")}
