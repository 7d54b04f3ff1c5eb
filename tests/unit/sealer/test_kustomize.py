"""Where kustomize puts sealed manifests, without building anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.kustomize import Kustomization, find_copies, find_renamed
from sealer.manifests.documents import dump
from sealer.manifests.models import Metadata, Secret
from sealer.sealing import seal
from sealer.sources import Source
from sealer.verification import Checked, Checks, verify_source

KEY = UnsealingKey(b"k" * 32).public
NOW = datetime(2026, 11, 22, tzinfo=UTC)
BASE = {"base/kustomization.yaml": "resources: [db.yaml]\n"}


def sealed(scope: Scope = Scope.STRICT, *, name: str = "db", namespace: str = "shop") -> str:
    secret = Secret(metadata=Metadata(namespace=namespace, name=name), data={"a": b"made-up"})
    return dump(seal(secret, to=[KEY], scope=scope, now=NOW).to_manifest())


def checked(files: Mapping[str, str]) -> list[Checked]:
    results = [
        result
        for name, text in files.items()
        for result in verify_source(Source.read(name, text), Checks())
    ]
    sound = [result for result in results if isinstance(result, Checked)]
    assert len(sound) == len(results)
    return sound


def renamed(kustomizations: Mapping[str, str], manifests: Mapping[str, str]) -> list[str]:
    read = [Kustomization.read(Source.read(*item)) for item in kustomizations.items()]
    found = find_renamed([one for one in read if one], checked(manifests))
    return [f"{finding} ({finding.hint})" for finding in found]


def overlay(text: str, *, scope: Scope = Scope.STRICT) -> list[str]:
    kustomizations = {**BASE, "over/kustomization.yaml": f"resources: [../base/]\n{text}\n"}
    return renamed(kustomizations, {"base/db.yaml": sealed(scope)})


def test_finding_names_both_places_and_the_scope_that_would_do() -> None:
    (finding,) = overlay("namespace: prod")
    assert finding == (
        "over/kustomization.yaml:2: SealedSecret shop/db: becomes prod/db here and would not open: "
        "base/db.yaml:1 is sealed with scope strict "
        "(seal it for prod/db, or with scope cluster-wide)"
    )
    (finding,) = overlay("namePrefix: a-")
    assert "becomes shop/a-db here" in finding
    assert finding.endswith("(seal it for shop/a-db, or with scope namespace-wide)")


@pytest.mark.parametrize("change", ["namespace: prod", "namePrefix: a-", "nameSuffix: -a"])
@pytest.mark.parametrize("scope", Scope)
def test_each_scope_allows_what_it_does_not_bind(scope: Scope, change: str) -> None:
    bound = {
        Scope.STRICT: ("namespace", "name"),
        Scope.NAMESPACE_WIDE: ("namespace:",),
        Scope.CLUSTER_WIDE: (),
    }
    assert bool(overlay(change, scope=scope)) is change.startswith(bound[scope])


@pytest.mark.parametrize("change", ["", "namespace: shop", "namePrefix: ''", "labels: [{}]"])
def test_what_stays_where_it_was_sealed_for_is_no_finding(change: str) -> None:
    assert overlay(change) == []


def test_only_what_is_built_in_the_end_counts() -> None:
    # The base alone would not open; nobody builds it alone.
    kustomizations = {
        "base/kustomization.yaml": "namespace: none\nresources: [db.yaml]\n",
        "over/kustomization.yaml": "namespace: shop\nresources: [../base]\n",
    }
    manifests = {"base/db.yaml": sealed()}
    assert renamed(kustomizations, manifests) == []
    base = {"base/kustomization.yaml": kustomizations["base/kustomization.yaml"]}
    assert len(renamed(base, manifests)) == 1


def test_each_overlay_is_told_at_the_file_that_renames() -> None:
    kustomizations = {
        **BASE,
        "dev/kustomization.yaml": "namespace: dev\nresources: [../base]\n",
        "prod/kustomization.yaml": "namePrefix: a-\nresources: [../base]\n",
        "all/kustomization.yaml": "resources: [../dev, ../prod]\n",
        "good/kustomization.yaml": "resources: [../base]\n",
    }
    found = renamed(kustomizations, {"base/db.yaml": sealed()})
    assert [finding.partition(":")[0] for finding in found] == [
        "dev/kustomization.yaml",
        "prod/kustomization.yaml",
    ]


def test_components_change_what_was_taken_in_before() -> None:
    kustomizations = {
        "app/kustomization.yaml": "resources: [db.yaml]\ncomponents: [parts/named]\n",
        "app/parts/named/kustomization.yaml": "kind: Component\nnameSuffix: -x\n",
    }
    (finding,) = renamed(kustomizations, {"app/db.yaml": sealed()})
    assert finding.startswith("app/parts/named/kustomization.yaml:2: SealedSecret shop/db: becomes")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "resources: db.yaml",
        "resources: [1, {a: b}, https://example.invalid/x, nowhere.yaml]\nnamespace: [prod]",
        "namespace: prod",
        "namespace: prod\nresources: ['.', ../app]",
    ],
    ids=["empty", "list", "text", "odd", "alone", "circle"],
)
def test_what_kustomize_would_not_take_is_left_to_kustomize(text: str) -> None:
    assert renamed({"app/kustomization.yaml": text}, {"app/db.yaml": sealed()}) == []


def test_manifests_outside_of_kustomizations_are_no_finding() -> None:
    kustomization = {"app/kustomization.yaml": "namespace: prod\nresources: [db.yaml]\n"}
    assert renamed(kustomization, {"other/db.yaml": sealed()}) == []


def test_name_that_becomes_invalid_is_told_like_any_other() -> None:
    (finding,) = overlay("namePrefix: A_")
    assert "becomes shop/A_db here" in finding


# --- what was rendered, beside what it was rendered from


def copies(original: str, copy: str) -> list[str]:
    files = checked({"db.yaml": original, "copy.yaml": copy})
    return [f"{finding} ({finding.hint})" for finding in find_copies(files)]


def test_copy_for_another_place_is_a_finding_without_any_key() -> None:
    text = sealed()
    (finding,) = copies(text, text.replace("namespace: shop", "namespace: prod"))
    assert finding == (
        "copy.yaml:1: SealedSecret prod/db: holds what is sealed in db.yaml:1 for SealedSecret "
        "shop/db with scope strict: it opens in one of the two places only "
        "(seal the values for each place, or with a wider scope)"
    )


@pytest.mark.parametrize(
    "change",
    [("scope: strict", "scope: cluster-wide"), ("kind: Secret", "kind: SharedSecret")],
    ids=["scope", "kind"],
)
def test_copy_of_another_scope_or_kind_is_a_finding(change: tuple[str, str]) -> None:
    text = sealed()
    assert change[0] in text
    assert len(copies(text, text.replace(*change))) == 1


@pytest.mark.parametrize(
    ("scope", "change"),
    [
        (Scope.STRICT, ("", "")),
        (Scope.NAMESPACE_WIDE, ("name: db", "name: a-db")),
        (Scope.CLUSTER_WIDE, ("namespace: shop", "namespace: prod")),
    ],
)
def test_copy_as_far_as_its_scope_goes_is_none(scope: Scope, change: tuple[str, str]) -> None:
    text = sealed(scope)
    assert copies(text, text.replace(*change)) == []


def test_same_place_sealed_twice_and_same_entry_id_by_chance_are_no_copies() -> None:
    assert copies(sealed(), sealed()) == []
    one, other = sealed(), sealed(name="other")
    entries = [next(iter(item.sealed.seals)) for item in checked({"a": one, "b": other})]
    assert copies(one, other.replace(entries[1], entries[0])) == []
