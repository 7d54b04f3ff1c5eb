"""What is checked once a SealedSecret is open must not depend on what its values are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealer.errors import InvalidManifest, InvalidTemplate
from sealer.manifests import templates, validation
from sealer.manifests.models import Metadata, Secret

SECRET = Secret(metadata=Metadata(namespace="shop", name="db"), data={"a": b"made-up"})


@pytest.mark.parametrize(
    ("type_", "keys"),
    [
        ("kubernetes.io/tls", ("tls.crt", "tls.key")),
        ("kubernetes.io/dockerconfigjson", (".dockerconfigjson",)),
        ("kubernetes.io/ssh-auth", ("ssh-privatekey",)),
        ("kubernetes.io/basic-auth", ("username",)),
    ],
)
def test_an_opened_secret_needs_its_types_items_and_may_hold_anything_in_them(
    type_: str, keys: tuple[str, ...]
) -> None:
    validation.check_opened(replace(SECRET, type=type_, data=dict.fromkeys(keys, b"not that")))
    with pytest.raises(InvalidManifest):
        validation.check_opened(replace(SECRET, type=type_))


def test_templates_are_checked_without_values_for_items_collisions_and_syntax() -> None:
    templates.check_all({"url": "x{{ a }}"}, item_keys={"a"})
    for wrong in ({"url": "{{ b }}"}, {"a": "x"}, {"url": "{% if a %}"}):
        with pytest.raises(InvalidTemplate):
            templates.check_all(wrong, item_keys={"a"})
