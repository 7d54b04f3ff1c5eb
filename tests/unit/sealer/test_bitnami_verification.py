"""What `verify` finds in manifests of sealed-secrets that only shows once they are open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealer.bitnami_opening import check_frame, check_result, unseal
from sealer.bitnami_sealing import seal
from sealer.bitnami_verification import verify_source
from sealer.errors import InvalidManifest, Refused, SealerError
from sealer.manifests.bitnami import KEY_LABEL
from sealer.manifests.writing import dump_json
from sealer.sources import Source
from sealer.verification import Checks, Finding
from tests.unit.sealer.test_bitnami_opening import NEW, SECRET, TO, _deprecated, _sealed, _whole

_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ({"type": _TOKEN}, Refused),
        ({"type": "bootstrap.kubernetes.io/token"}, Refused),
        ({"type": "not a type"}, InvalidManifest),
        ({"type": "kubernetes.io/tls"}, InvalidManifest),
        ({"labels": {KEY_LABEL: "active"}}, Refused),
        ({"annotations": {"a b": ""}}, InvalidManifest),
        ({"data": {"a/b": ""}}, InvalidManifest),
    ],
)
def test_what_a_cluster_would_refuse_is_known_without_a_key(
    template: dict[str, object], error: type[SealerError]
) -> None:
    sealed = _sealed(None, **template)
    with pytest.raises(error):
        check_frame(sealed)
    with pytest.raises(error):
        check_result(unseal(sealed, [NEW]))


def test_what_it_takes_passes() -> None:
    sealed = _sealed(type="example.com/db", labels={"app": "shop"}, data={"url": "{{ .user }}"})
    check_frame(sealed)
    check_result(unseal(sealed, [NEW]))


def test_what_a_registry_login_would_not_take_is_found_with_the_key() -> None:
    made = _sealed(data={".dockercfg": '{"a": {"auth": "{{ .user }}", "b": {{ .bell | quote }}}}'})
    secret = replace(SECRET, data={"user": b"made-up", "bell": b"made-up \a"})
    items = seal(secret, to=TO).encrypted_data
    source = Source.read("db.json", dump_json(replace(made, encrypted_data=items).to_manifest()))
    assert not [it for it in verify_source(source, Checks(), None) if isinstance(it, Finding)]
    (found,) = verify_source(source, Checks(), [NEW])
    assert isinstance(found, Finding)
    assert (found.key, found.obj) == ("template.data..dockercfg", "SealedSecret shop/db")
    assert found.message == "line 1: the value of item 'bell' cannot stand in JSON as it is"


@pytest.mark.parametrize(
    "content",
    [{"type": _TOKEN}, {"metadata": {"name": "db", "labels": {KEY_LABEL: "active"}}}],
    ids=["type", "label"],
)
def test_what_the_deprecated_form_hides_is_found_with_the_key(content: dict[str, object]) -> None:
    hidden = _whole(_deprecated(**content))
    check_frame(hidden)
    manifest = hidden.to_manifest() | {"spec": {"data": hidden.whole or ""}}
    source = Source.read("db.json", dump_json(manifest))
    assert not [it for it in verify_source(source, Checks(), None) if isinstance(it, Finding)]
    (found,) = verify_source(source, Checks(), [NEW])
    assert isinstance(found, Finding)
    assert found.obj == "SealedSecret shop/db"
