"""An object of an earlier text of a file is found in a later one, or that is an error of ours."""

from __future__ import annotations

import pytest

from sealer.sources import Source


def test_an_object_is_found_again_where_it_was() -> None:
    before = Source.read("a.yaml", "kind: A\n---\nitems:\n- kind: B\n")
    after = Source.read("a.yaml", "kind: A2\n---\nitems:\n- kind: B2\n")
    assert [after.again(at).value for at in before.objects()] == [{"kind": "A2"}, {"kind": "B2"}]
    gone = Source.read("a.yaml", "kind: A\n---\nitems:\n- 1\n")
    *_, last = before.objects()
    with pytest.raises(TypeError):
        gone.again(last)
