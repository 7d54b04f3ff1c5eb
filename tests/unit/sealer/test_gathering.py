"""What can be read is gathered, and what cannot does not hide it."""

from __future__ import annotations

from sealer.gathering import gather
from tests.unit.sealer.manifest_files import file, manifest


def test_every_sealed_secret_has_its_place() -> None:
    found = gather([file("a.json", manifest("a"), manifest("b")), file("c.json", manifest("c"))])
    assert [(one.file, one.line, str(one.sealed)) for one in found.objects] == [
        ("a.json", 1, "SealedSecret shop/a"),
        ("a.json", 2, "SealedSecret shop/b"),
        ("c.json", 1, "SealedSecret shop/c"),
    ]
    assert not found.problems


def test_a_broken_file_or_object_is_a_problem_and_hides_no_other() -> None:
    found = gather(
        [
            ("broken.yaml", b"kind: SealedSecret\n}\n"),
            ("latin.yaml", b"# SealedSecret \xff\n"),
            file("b.json", manifest("b", unknown=1), manifest("c")),
        ]
    )
    assert [str(one.sealed) for one in found.objects] == ["SealedSecret shop/c"]
    assert [str(problem) for problem in found.problems] == [
        "broken.yaml:2: no YAML: did not find expected key",
        "latin.yaml: not UTF-8 text",
        "b.json:1: SealedSecret shop/b: key spec.unknown: unknown field",
    ]


def test_what_mentions_no_sealed_secret_is_not_parsed() -> None:
    found = gather([("chart.yaml", b"{{ .Values.x }}\n\xff"), ("a.yaml", b"kind: Deployment\n")])
    assert not found.objects
    assert not found.problems


def test_other_kinds_are_passed_over() -> None:
    assert not gather([("a.yaml", b"kind: Other\nof: SealedSecret\n")]).objects
