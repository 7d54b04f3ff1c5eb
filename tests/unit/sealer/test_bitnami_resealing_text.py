"""Objects of sealed-secrets resealed where they stand in files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealer.bitnami_resealing_text import reseal_source
from sealer.errors import CannotOpen, ClusterError
from sealer.manifests import documents
from sealer.manifests.bitnami import BitnamiSealedSecret, BitnamiTemplate
from sealer.manifests.models import Metadata
from sealer.sources import Source

SEALED = BitnamiSealedSecret(
    metadata=Metadata(namespace="shop", name="db"),
    encrypted_data={"password": "AQ==", "user": "Ag=="},
    template=BitnamiTemplate(data={"url": "{{ .user }}"}),
)


def _source(*names: str) -> Source:
    objects = [replace(SEALED, metadata=Metadata(name=name)) for name in names]
    manifests = [one.to_manifest() for one in objects]
    return Source.read("all.yaml", documents.dump_all([{"kind": "ConfigMap"}, *manifests]))


def test_what_cannot_be_resealed_is_left_and_the_others_are_done() -> None:
    def reseal(sealed: BitnamiSealedSecret) -> dict[str, str]:
        assert sealed.metadata.namespace == "shop"
        if sealed.metadata.name == "two":
            raise CannotOpen("not this one")
        if sealed.metadata.name == "three":
            return dict(sealed.encrypted_data)
        return {**sealed.encrypted_data, "user": "Aw=="}

    source = _source("one", "two", "three", "four")
    found = reseal_source(source, reseal, namespace="shop")
    assert [(one.metadata.name, keys) for one, keys in found.done] == [
        ("one", ("user",)),
        ("four", ("user",)),
    ]
    assert [error.file for error in found.failures] == ["all.yaml:17"]
    assert found.text.replace("Aw==", "Ag==") == source.text


def test_a_cluster_that_does_not_answer_ends_the_file() -> None:
    def reseal(sealed: BitnamiSealedSecret) -> dict[str, str]:
        raise ClusterError(f"gone at {sealed.metadata.name}")

    with pytest.raises(ClusterError, match="gone at one"):
        reseal_source(_source("one", "two"), reseal)
