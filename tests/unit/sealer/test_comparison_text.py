"""Comparisons are told in the order of importance, and no name can do anything to a reader."""

from __future__ import annotations

import json
import re

from sealer.comparison import Comparison, compare
from sealer.comparison_text import rows, summary, to_json, to_markdown, to_text
from sealer.gathering import gather
from tests.unit.sealer.manifest_files import NEW_KEY, OLD_KEY, Manifest, entry, file, manifest

ACCESS = {"name": "all", "verbs": ["update"], "users": ["ann"]}
OLD = [
    file("db.json", manifest(encryptedData=dict.fromkeys(("password", "user"), "aaaaaaaa:eA=="))),
    file("gone.json", manifest("gone")),
    file("stripe.json", manifest("stripe")),
    file("team.json", manifest("team", template={"kind": "SharedSecret"})),
]
NEW = [
    file(
        "db.json",
        manifest(
            seals={
                "aaaaaaaa": entry(),
                "bbbbbbbb": entry(NEW_KEY, sealed_at="2025-01-01T00:00:00Z"),
            },
            encryptedData={"password": "bbbbbbbb:eQ==", "user": "aaaaaaaa:eA=="},
        ),
    ),
    file("apps/new.json", manifest("new", scope="cluster-wide")),
    file("stripe.json", manifest("stripe", seals={"aaaaaaaa": entry(NEW_KEY)})),
    file(
        "team.json",
        manifest(
            "team",
            encryptedData={"password": "aaaaaaaa:Zmlyc3Q=", "url": "aaaaaaaa:eA=="},
            template={"kind": "SharedSecret", "access": [ACCESS], "data": {"X": "{{ url }}"}},
        ),
    ),
]
TEXT = """\
shop/team     readers      user ann may now update, view
shop/team     template     data.X added
shop/team     item added   url (sealed to 3f9c…e21a)
shop/db       changed      password (older: sealed 2025-01-01T00:00:00Z, was 2026-01-01T00:00:00Z)
shop/db       keys         now a8d1…0b77; no longer 3f9c…e21a
shop/gone     removed      from gone.json
shop/gone     items        password
shop/new      added        in apps/new.json
shop/new      scope        cluster-wide
shop/new      items        password (sealed to 3f9c…e21a)
shop/stripe   resealed     password (now a8d1…0b77; no longer 3f9c…e21a)
"""


def comparison() -> Comparison:
    return compare(gather(OLD), gather(NEW))


def test_text_has_readers_first_and_one_line_for_each_thing() -> None:
    assert to_text(comparison()) == TEXT


def test_nothing_is_said_to_be_nothing() -> None:
    assert to_text(Comparison(())) == "no sealed object differs\n"
    assert to_markdown(Comparison(())) == "**no sealed object differs**\n"


def test_the_summary_counts() -> None:
    assert summary(comparison()) == (
        "1 added, 1 removed, 2 changed, 1 resealed, readers of 1 object change"
    )


def test_markdown_folds_what_is_only_resealed() -> None:
    text = to_markdown(comparison())
    table, _, folded = text.partition("<details>")
    assert table.startswith("**1 added, 1 removed, 2 changed, 1 resealed")
    assert (
        "| <code>shop/team</code> | readers | <code>user ann may now update, view</code> |" in table
    )
    assert "stripe" not in table
    assert folded.startswith("<summary>1 object only resealed</summary>")
    assert "shop/stripe" in folded
    assert folded.endswith("</details>\n")


def test_json_has_everything_with_whole_key_ids() -> None:
    report = to_json(comparison())
    text = json.dumps(report)
    assert NEW_KEY in text
    assert OLD_KEY in text
    objects = report["objects"]
    assert isinstance(objects, list)
    assert objects[0]["readers"] == [
        {"kind": "user", "name": "ann", "before": [], "after": ["update", "view"]}
    ]
    assert objects[-1]["resealedOnly"]


def test_no_ciphertext_wrapped_key_or_template_text_is_shown() -> None:
    found = comparison()
    for text in (to_text(found), to_markdown(found), json.dumps(to_json(found)), repr(found)):
        assert not re.search(r"eQ==|wrapped[0-9a-f]|{{ url", text)


def test_a_name_cannot_leave_its_place() -> None:
    evil = "a`|\n<img src=x> @ann [x](http://evil) \u202e\x1b[2J"
    found = compare(gather([]), gather([file("x.json", manifest(evil))]))
    markdown, text = to_markdown(found), to_text(found)
    inside = re.sub("</?code>", "", markdown)
    assert not re.search(r"[`<>@\[\]\x1b\u202e]", inside)
    assert inside.count("|") == 4 * len(inside.splitlines()[2:])
    assert not re.search(r"[\x1b\u202e]", text)
    assert len(text.splitlines()) == 2


def test_a_comment_stays_below_its_limit_and_says_so() -> None:
    old = [file(f"{n}.json", manifest(f"n{n}"), manifest(f"r{n}")) for n in range(50)]
    new = [
        file(
            f"{n}.json",
            manifest(f"n{n}", scope="namespace-wide"),
            manifest(f"r{n}", seals={"aaaaaaaa": entry(NEW_KEY)}),
        )
        for n in range(50)
    ]
    found = compare(gather(old), gather(new))
    whole = to_markdown(found)
    for limit in (len(whole) - 1, 5000, 1000):
        text = to_markdown(found, limit=limit)
        assert len(text) <= limit
        assert text.endswith("more, see `sealer diff`\n")
        assert text.count("<details>") == text.count("</details>")


def test_what_cannot_be_read_is_told_in_every_form() -> None:
    found = compare(gather([]), gather([("a.yaml", b"SealedSecret: ]")]))
    assert to_text(found).startswith("cannot be read: a.yaml:1")
    assert "cannot be read: a.yaml" in to_markdown(found)
    assert "a.yaml:1" in json.dumps(to_json(found))


def test_what_moves_or_changes_in_other_ways_has_words_too() -> None:
    template = {"kind": "SharedSecret", "access": [ACCESS]}
    less = {"kind": "SharedSecret", "access": [{**ACCESS, "verbs": ["view"]}]}
    none = {"kind": "SharedSecret", "access": []}
    changed = {"password": "aaaaaaaa:eQ=="}
    spec: Manifest = {"encryptedData": {"x": "aaaaaaaa:eA=="}, "scope": "namespace-wide"}
    old = [
        file("a.json", manifest("a")),
        file("b.json", manifest("b", template=template)),
        file("c.json", manifest("c", template=template)),
        file("d.json", manifest("d", encryptedData={"x": "aaaaaaaa:eA==", "y": "aaaaaaaa:eA=="})),
        file("e.json", manifest("e")),
        file("f.json", manifest("f", seals={"aaaaaaaa": {**entry(), "recipients": []}})),
        ("broken.yaml", b"SealedSecret: ]"),
    ]
    new = [
        file("apps/a.json", manifest("a")),
        file("b.json", manifest("b", template=less)),
        file("c.json", manifest("c", template=none)),
        file("d.json", manifest("d", **spec)),
        file("e.json", manifest("e", seals={"aaaaaaaa": entry(commitment="eA==")})),
        file("f.json", manifest("f", seals={}, encryptedData=changed)),
    ]
    found = compare(gather(old), gather(new))
    assert to_text(found).splitlines() == [
        "shop/b   readers        user ann may view (before: update, view)",
        "shop/c   readers        user ann may nothing (before: update, view)",
        "shop/a   moved          from a.json to apps/a.json",
        "shop/d   scope          strict -> namespace-wide",
        "shop/d   item removed   y",
        "shop/e   altered        password: another time or commitment, will not open",
        "shop/f   changed        password",
        "could not be read before: broken.yaml:1: no YAML: did not find expected node content",
    ]


def test_an_item_without_keys_names_none() -> None:
    empty = {"aaaaaaaa": {**entry(), "recipients": []}}
    rewrapped = entry()
    rewrapped["recipients"][0]["wrapped"] = "anew"
    old = [file("b.json", manifest("b"))]
    new = [
        file("a.json", manifest(seals=empty)),
        file("b.json", manifest("b", seals={"aaaaaaaa": rewrapped})),
    ]
    found = compare(gather(old), gather(new))
    assert [row[2] for row in rows(found)] == ["password", "in a.json", "password"]
    assert "<code>shop/b</code>" in to_markdown(found)
