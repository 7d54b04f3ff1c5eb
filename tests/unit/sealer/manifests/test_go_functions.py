from __future__ import annotations

import pytest

from sealer.errors import InvalidManifest
from sealer.manifests import go_expressions
from sealer.manifests.go_expressions import Function
from sealer.sources import Source


@pytest.mark.parametrize("function", [Function.PRINT, Function.B64DEC])
def test_functions_of_several_arguments_are_not_applied_to_one(function: Function) -> None:
    with pytest.raises(ValueError, match="is evaluated with its arguments"):
        go_expressions._applied(function, b"", 0)


def test_what_is_no_sealed_secret_of_theirs_is_told_with_its_place() -> None:
    text = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec: []\n"
    (found,) = Source.read("db.yaml", text).objects()
    with pytest.raises(InvalidManifest) as caught:
        found.bitnami()
    assert caught.value.file.startswith("db.yaml:")
