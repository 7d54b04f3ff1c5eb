"""The SealedSecrets of a commit, and what is wrong with the rest."""

from __future__ import annotations

import hashlib
import json

import pytest

from controller.sources import (
    File,
    Reading,
    Source,
    Sources,
    collect,
    is_manifest,
    read,
    twice,
    uid_of,
)
from sealer.errors import SealerError

DOCUMENT = """\
apiVersion: sealer.dev/v1alpha1
kind: SealedSecret
metadata: {{name: {name}, namespace: shop}}
spec: {{}}
"""
DB = DOCUMENT.format(name="db")
API = DOCUMENT.format(name="api")


def blob(content: str | bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()


def file(path: str, content: str | bytes, *, is_link: bool = False) -> File:
    raw = content.encode() if isinstance(content, str) else content
    return File(path=path, blob_id=blob(raw), content=raw, is_link=is_link)


def gathered(**files: str | bytes) -> Sources:
    """What files of these names (`__` for `.`) hold together."""
    return collect([read(file(name.replace("__", "."), text)) for name, text in files.items()])


def links(links: dict[str, str], **files: str) -> Sources:
    readings = [read(file(name, target, is_link=True)) for name, target in links.items()]
    texts = [read(file(name.replace("__", "."), text)) for name, text in files.items()]
    return collect([*readings, *texts])


def names(sources: Sources) -> list[str]:
    return [source.name for source in sources.found]


def only_problem(sources: Sources) -> SealerError:
    [[error]] = sources.problems.values()
    return error


def test_object_is_found_with_its_place_and_the_generation_of_its_file() -> None:
    [found] = gathered(db__yaml=DB).found
    assert found == Source(
        path="db.yaml",
        place="db.yaml:1",
        manifest={
            "apiVersion": "sealer.dev/v1alpha1",
            "kind": "SealedSecret",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {},
        },
        namespace="shop",
        name="db",
        generation=int(blob(DB)[:12], 16),
    )


def test_uid_is_that_of_the_name_everywhere_and_for_ever() -> None:
    [first] = gathered(db__yaml=DB).found
    [second] = gathered(moved__yaml=f"# moved\n{DB}").found
    assert first.uid == second.uid == uid_of("SealedSecret", "shop", "db")
    assert first.uid == "93c646e1-93d9-50f0-a244-72cb2c7cdad7"
    assert first.generation != second.generation
    assert uid_of("Secret", "shop", "db") != first.uid


def test_every_document_and_every_item_of_a_list_is_found() -> None:
    several = gathered(all__yaml=f"# two\n{DB}---\n{API}")
    assert names(several) == ["db", "api"]
    assert [source.place for source in several.found] == ["all.yaml:2", "all.yaml:7"]
    items = [source.manifest for source in several.found]
    listed = gathered(list__json=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert names(listed) == ["db", "api"]


def test_other_objects_and_other_files_are_passed_over() -> None:
    sources = gathered(
        plain__yaml="apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n",
        crd__yaml="kind: CustomResourceDefinition\nspec: {group: sealer.dev}\n",
        other__yaml="apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret # not sealer.dev\n",
        shared__yaml="apiVersion: sealer.dev/v1alpha1\nkind: SharedSecret\n",
        text__yaml="- sealer.dev\n",
        broken__yaml="{{ not yaml",
        binary__json=b"\xff\xfe\x00",
        empty__yaml="",
    )
    assert sources == Sources((), {})


@pytest.mark.parametrize("path", ["a.yaml", "a/b.yml", "c.json"])
def test_manifests_are_told_by_their_names(path: str) -> None:
    assert is_manifest(path)
    assert not is_manifest(f"{path}.bak")


def test_one_bad_document_does_not_stop_the_others_of_its_file() -> None:
    nameless = DB.replace("namespace: shop", "namespace: Shop!")
    sources = gathered(all__yaml=f"{DB}---\n{nameless}---\n{API}")
    assert names(sources) == ["db", "api"]
    error = only_problem(sources)
    assert (error.file, error.obj, error.key) == (
        "all.yaml:8",
        "SealedSecret Shop!/db",
        "metadata.namespace",
    )


@pytest.mark.parametrize(
    ("text", "file_", "message"),
    [
        (f"{DB}oops: [\n", "db.yaml:6", "no YAML"),
        (b"# sealer.dev\n# caf\xe9\n", "db.yaml:2", "is not UTF-8 text"),
        (DB.replace("name: db,", ""), "db.yaml:3", "must be 1 to 253 characters"),
        (DB.replace(", namespace: shop", ""), "db.yaml:3", "no namespace to open it in"),
        (DB.replace("name: db", "name: DB"), "db.yaml:3", "must be 1 to 253 characters"),
        (DB.replace("name: db", "name: 7"), "db.yaml:3", "expected text, found a number"),
        (DB.replace("v1alpha1", "v9"), "db.yaml:1", "sealer.dev/v9 is not known"),
        (DB.replace("/v1alpha1", ""), "db.yaml:1", "sealer.dev is not known"),
        (f"{DB}kind: SealedSecret\n", "db.yaml:5", ""),
    ],
    ids=[
        "broken YAML",
        "not UTF-8",
        "no name",
        "no namespace",
        "illegal name",
        "retyped name",
        "newer version",
        "no version",
        "duplicate key",
    ],
)
def test_what_cannot_be_read_is_a_problem_of_its_file_with_the_line(
    text: str | bytes, file_: str, message: str
) -> None:
    sources = gathered(db__yaml=text, api__yaml=API)
    assert names(sources) == ["api"]
    assert list(sources.problems) == ["db.yaml"]
    error = only_problem(sources)
    assert error.file == file_
    assert message in error.message


def test_object_of_a_newer_version_says_what_to_do() -> None:
    error = only_problem(gathered(db__yaml=DB.replace("v1alpha1", "v9")))
    assert error.reason == "UnsupportedFormat"
    assert error.hint == "it knows sealer.dev/v1alpha1; if a newer sealer made this, upgrade"


# --- links


def test_link_to_another_manifest_is_passed_over() -> None:
    sources = links({"apps/link.yaml": "../db.yaml"}, db__yaml=DB)
    assert (names(sources), sources.problems) == (["db"], {})


@pytest.mark.parametrize("target", ["/etc/db.yaml", "../db.yaml", "db.txt", "gone.yaml", ""])
def test_link_to_anything_else_is_refused(target: str) -> None:
    sources = links({"link.yaml": target}, db__yaml=DB)
    assert names(sources) == ["db"]
    error = only_problem(sources)
    assert error.file == "link.yaml"
    assert "links are not followed" in error.message
    assert error.hint == "commit the manifest itself"


def test_where_a_link_leads_may_be_any_bytes() -> None:
    reading = read(file("a/link.yaml", b"caf\xe9.yaml", is_link=True))
    assert reading == Reading(path="a/link.yaml", link="a/caf\\xe9.yaml")


# --- names that differ in case only


def test_manifests_that_differ_in_case_only_are_refused_both() -> None:
    sources = gathered(db__yaml=DB, DB__yaml=API, other__yaml=DOCUMENT.format(name="other"))
    assert names(sources) == ["other"]
    messages = {path: str(error) for path, [error] in sources.problems.items()}
    assert messages == {
        "db.yaml": "db.yaml: differs from DB.yaml in upper and lower case only",
        "DB.yaml": "DB.yaml: differs from db.yaml in upper and lower case only",
    }


def test_case_of_files_that_are_not_ours_does_not_matter() -> None:
    sources = gathered(db__yaml=DB, DB__yaml="values: 1\n", a__yaml="1", A__yaml="2")
    assert (names(sources), sources.problems) == (["db"], {})


# --- claims


def test_object_that_is_claimed_twice_is_told_with_all_places() -> None:
    sources = gathered(a__yaml=DB, b__yaml=f"{API}---\n{DB}")
    claims = twice(sources.found)
    assert list(claims) == [("shop", "db")]
    error = claims["shop", "db"]
    assert str(error) == "SealedSecret shop/db: claimed more than once: a.yaml:1, b.yaml:6"
    assert error.hint.startswith("keep one of them")


def test_same_name_in_two_namespaces_is_two_objects() -> None:
    other = DB.replace("shop", "other")
    assert twice(gathered(a__yaml=DB, b__yaml=other).found) == {}


def test_no_repr_shows_a_manifest() -> None:
    assert "SealedSecret" not in repr(gathered(db__yaml=DB))
    assert "SealedSecret" not in repr(file("db.yaml", DB))
