"""Patterns stand for whole paths, at the depth at which they are written."""

from __future__ import annotations

import pytest

from sealer.errors import InvalidConfig
from sealer.path_patterns import PathPattern

MATCHES = [
    ("apps/shop/**", "apps/shop/db.yaml"),
    ("apps/shop/**", "apps/shop/deep/er/db.yaml"),
    ("apps/shop/**", "apps/shop"),
    ("apps/shop/", "apps/shop/db.yaml"),
    ("apps/*/db.yaml", "apps/shop/db.yaml"),
    ("**/db.yaml", "db.yaml"),
    ("**/db.yaml", "a/b/c/db.yaml"),
    ("a/**/z.yaml", "a/z.yaml"),
    ("a/**/z.yaml", "a/b/z.yaml/z.yaml"),
    ("**/a/**/b/*.yaml", "x/a/y/a/b/b/z.yaml"),
    ("**", "anything/at/all"),
    ("*.yaml", "db.yaml"),
    ("d?.yaml", "db.yaml"),
    ("*", ".hidden"),
    ("a*b*c", "a-b-b-c"),
    ("with space/*", "with space/ü.yaml"),
]
DIFFERS = [
    ("apps/shop/**", "apps/shopping/db.yaml"),
    ("apps/shop", "apps/shop/db.yaml"),
    ("*.yaml", "apps/db.yaml"),
    ("apps/*", "apps/shop/db.yaml"),
    ("apps/*/db.yaml", "apps/db.yaml"),
    ("shop/**", "apps/shop/db.yaml"),
    ("**/db.yaml", "xdb.yaml"),
    ("d?.yaml", "d.yaml"),
    ("d?.yaml", "d/.yaml"),
    ("Apps/**", "apps/db.yaml"),
    ("a.yaml", "a_yaml"),
]


@pytest.mark.parametrize(("pattern", "path"), MATCHES)
def test_a_pattern_matches(pattern: str, path: str) -> None:
    assert PathPattern.read(pattern).matches(path)


@pytest.mark.parametrize(("pattern", "path"), DIFFERS)
def test_a_pattern_does_not_match(pattern: str, path: str) -> None:
    assert not PathPattern.read(pattern).matches(path)


@pytest.mark.parametrize(
    "text",
    ["", "/", "/apps/**", "a//b", "!a", "a\\b", "a/[ab]", "{a,b}", "./a", "a/../b", "a**", "a\n"],
)
def test_what_could_mean_two_things_is_no_pattern(text: str) -> None:
    with pytest.raises(InvalidConfig):
        PathPattern.read(text)


def test_many_stars_do_not_take_exponential_time() -> None:
    pattern = PathPattern.read("/".join(["**", "a*a*a*a*a*a*b"] * 20))
    assert not pattern.matches("/".join(["a" * 100] * 60))


def test_only_a_pattern_of_stars_covers_all() -> None:
    assert PathPattern.read("**").covers_all()
    assert PathPattern.read("**/").covers_all()
    assert not PathPattern.read("**/*").covers_all()
