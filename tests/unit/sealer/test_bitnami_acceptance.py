"""What a cluster answers is taken only if it is what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sealer.bitnami_acceptance import accept_native, accept_rotated
from sealer.bitnami_native import prepare_unseen, to_native_unseen
from sealer.bitnami_opening import unseal as unseal_theirs
from sealer.bitnami_resealing import reseal
from sealer.bitnami_sealing import seal
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.crypto.keys import UnsealingKey
from sealer.errors import Refused, SealerError
from sealer.manifests.bitnami import CLUSTER_WIDE, BitnamiTemplate
from sealer.manifests.models import Metadata, Secret
from sealer.opening import unseal
from tests import rsa_keys

Object = dict[str, Any]

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OLD, NEW = (PrivateKey.from_pem(key.to_pem()) for key in (rsa_keys.OLD, rsa_keys.NEW))
TO_OLD, TO_NEW = (Certificate.from_pem(key.certificate()) for key in (rsa_keys.OLD, rsa_keys.NEW))
OURS, OTHER = UnsealingKey(b"1" * 32), UnsealingKey(b"2" * 32)
SEALED = seal(
    Secret(
        metadata=Metadata(namespace="shop", name="db", labels={"app": "shop"}),
        data={"password": b"made-up password", "user": b"made-up user"},
    ),
    to=TO_OLD,
)
NATIVE = to_native_unseen(SEALED, [OLD], to=[OURS.public], now=NOW).sealed
FOR_OTHER = to_native_unseen(SEALED, [OLD], to=[OURS.public, OTHER.public], now=NOW).sealed
ROTATED = {
    **SEALED.to_manifest(),
    "spec": {"encryptedData": dict(reseal(SEALED, [OLD], to=TO_NEW).items)},
}
Change = Callable[[Object], object]


def _accept(answer: Object) -> object:
    items = SEALED.encrypted_data.keys()
    return accept_native(prepare_unseen(SEALED), answer, items=items, keys=[OURS.id])


def test_of_a_native_answer_only_what_is_sealed_is_taken() -> None:
    answer = deepcopy(NATIVE.to_manifest())
    answer["spec"]["template"] = {"type": "kubernetes.io/tls", "data": {"x": "{{ user }}"}}  # type: ignore[index]
    answer["metadata"]["labels"] = {"stranger": "yes"}  # type: ignore[index]
    native = accept_native(
        prepare_unseen(SEALED), answer, items=SEALED.encrypted_data.keys(), keys=[OURS.id]
    )
    assert native == NATIVE
    assert unseal(native, {OURS.id: OURS}).secret == unseal_theirs(SEALED, [OLD]).secret


def _move(answer: Object, **metadata: str) -> None:
    answer["metadata"] |= metadata


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda answer: _move(answer, name="other"), "name"),
        (lambda answer: _move(answer, namespace="other"), "namespace"),
        (lambda answer: answer["spec"].update(scope="cluster-wide"), "scope"),
        (lambda answer: answer["spec"]["template"].update(kind="SharedSecret"), "kind"),
        (lambda answer: answer["spec"]["encryptedData"].pop("user"), "items"),
        (lambda answer: answer["spec"]["encryptedData"].update(more="x"), "items"),
        (lambda answer: answer["spec"].update(FOR_OTHER.to_manifest()["spec"]), "recipients"),
    ],
)
def test_a_native_answer_for_something_else_is_refused(change: Change, what: str) -> None:
    answer = deepcopy(dict(NATIVE.to_manifest()))
    change(answer)
    with pytest.raises(Refused, match=f"another {what}"):
        _accept(answer)


@pytest.mark.parametrize("answer", [{}, {"kind": "Secret"}, ROTATED])
def test_an_answer_that_is_no_such_object_is_refused(answer: Object) -> None:
    with pytest.raises(SealerError):
        _accept(answer)


def test_of_a_rotated_answer_only_the_items_are_taken() -> None:
    answer = deepcopy(ROTATED)
    answer["spec"] = {"template": {"metadata": {"labels": {"stranger": "yes"}}}, **answer["spec"]}  # type: ignore[dict-item]
    del answer["kind"]  # as their own controller answers
    del answer["apiVersion"]
    found = accept_rotated(SEALED, answer)
    assert found.template == SEALED.template
    assert unseal_theirs(found, [NEW]).secret == unseal_theirs(SEALED, [OLD]).secret


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda answer: _move(answer, name="other"), "name"),
        (lambda answer: answer["metadata"].update(annotations={CLUSTER_WIDE: "true"}), "scope"),
        (lambda answer: answer["spec"]["encryptedData"].pop("user"), "items"),
        (
            lambda answer: answer["spec"]["encryptedData"].update(
                user=answer["spec"]["encryptedData"]["password"]
            ),
            "length of user",
        ),
    ],
)
def test_a_rotated_answer_for_something_else_is_refused(change: Change, what: str) -> None:
    answer = deepcopy(dict(ROTATED))
    change(answer)
    with pytest.raises(Refused, match=f"another {what}"):
        accept_rotated(SEALED, answer)


def test_a_rotated_answer_of_another_kind_is_refused() -> None:
    with pytest.raises(SealerError):
        accept_rotated(SEALED, {**ROTATED, "kind": "Secret"})


def test_results_that_their_controller_seals_besides_are_left_out() -> None:
    templated = replace(SEALED, template=BitnamiTemplate(data={"url": "{{ .user }}"}))
    answer: Object = deepcopy(dict(ROTATED))
    answer["spec"]["encryptedData"]["url"] = answer["spec"]["encryptedData"]["user"]
    assert accept_rotated(templated, answer).encrypted_data.keys() == SEALED.encrypted_data.keys()
    with pytest.raises(Refused, match="another items"):
        accept_rotated(SEALED, answer)
    covered = replace(SEALED, template=BitnamiTemplate(data={"user": "made-up"}))
    with pytest.raises(Refused, match="a template makes the value of an item"):
        accept_rotated(covered, ROTATED)
