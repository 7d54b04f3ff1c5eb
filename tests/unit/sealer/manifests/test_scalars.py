"""What unquoted scalars mean, compared by hand with sigs.k8s.io/yaml v1.6.0 (kubectl 1.35).

Each row is what `yaml.YAMLToJSON` answered for `a: SCALAR`.
"""

from __future__ import annotations

import math

import pytest

from sealer.errors import InvalidManifest
from sealer.manifests.scalars import Plain, key_text, resolve, resolve_tagged

TRUE = "y Y yes Yes YES true True TRUE on On ON"
FALSE = "n N no No NO false False FALSE off Off OFF"
NULL = "~ null Null NULL"
TEXT = (
    "yEs tRUE nULL oN _1 . .e5 ._5 .1_ 1e999 .5e999 0x 0b 0o 0o8 1:30 190:20:30 = << 2001-01-01"
    " 2001-12-14t21:59:43.10-05:00 0x1FFFFFFFFFFFFFFFF 0x1p3 .5p3 infinity nan +inf 1,000 +_ 1.2.3"
    " Infinity NaN -.nan 0xg 0b2 1e 1e+ --1 +-1 \u0661"
)
NUMBERS: dict[str, int | float] = {
    "0o17": 15,
    "0O17": 15,
    "0x1F": 31,
    "0X1f": 31,
    "0b101": 5,
    "0B1": 1,
    "-0b11": -3,
    "0644": 420,
    "08": 8.0,
    "09.5": 9.5,
    "0_7": 7,
    "1_000": 1000,
    "1__0": 10,
    "+1": 1,
    "-1": -1,
    "+0x1f": 31,
    "1e3": 1000.0,
    "1E3": 1000.0,
    "1e+3": 1000.0,
    ".5": 0.5,
    "5.": 5.0,
    ".5_0": 0.5,
    "+.5": 0.5,
    "-.5": -0.5,
    "1.5": 1.5,
    "1_0.5": 10.5,
    "9223372036854775807": 9223372036854775807,
    "9223372036854775808": 9223372036854775808,
    "18446744073709551615": 18446744073709551615,
    "18446744073709551616": 18446744073709552000.0,
    "-9223372036854775808": -9223372036854775808,
    "-9223372036854775809": -9223372036854775808.0,
    "0xFFFFFFFFFFFFFFFF": 18446744073709551615,
    "1234e01": 12340.0,
    "1.0e+16": 1e16,
    "+12e03": 12000.0,
    "12e-400": 0.0,
    "0xabc_d": 43981,
    "-0": 0,
    "+0": 0,
    "00": 0,
    "0_": 0,
    "0" * 5000 + "7": 7,
    "0x" + "0" * 5000 + "f": 15,
    "1" + "0" * 300: 1e300,
}
KEYS: dict[str, str] = {
    "y": "true",
    "off": "false",
    "1": "1",
    "0x10": "16",
    "1.5": "1.5",
    "0.1": "0.1",
    "1e3": "1000",
    "1e6": "1e+06",
    "1e21": "1e+21",
    "1e-4": "0.0001",
    "1e-5": "1e-05",
    "123456789.0": "1.2345679e+08",
    "16777217.0": "1.6777216e+07",
    "3.4028235e38": "3.4028235e+38",
    "1e300": ".inf",
    "-1e300": "-.inf",
    ".nan": ".nan",
    "-.inf": "-.inf",
    "2001-01-01": "2001-01-01",
    "-0.0": "-0",
    "0.30000000000000004": "0.3",
    "3.4e38": "3.4e+38",
    "1e-50": "0",
    "100000.0": "100000",
    "1234567.5": "1.2345675e+06",
    "-12.5": "-12.5",
}
TAGGED: dict[tuple[str, str], Plain] = {
    ("!!str", "1"): "1",
    ("!!str", ""): "",
    ("!!int", "12"): 12,
    ("!!int", "9223372036854775808"): 9223372036854775808,
    ("!!float", "1"): 1.0,
    ("!!float", "1e3"): 1000.0,
    ("!!bool", "y"): True,
    ("!!null", ""): None,
    ("!!binary", "aGk="): "hi",
    ("!!binary", "aG\nk=\n"): "hi",
    ("!!timestamp", "2001-01-01"): "2001-01-01",
}


@pytest.mark.parametrize("text", TRUE.split())
def test_words_for_true(text: str) -> None:
    assert resolve(text) is True


@pytest.mark.parametrize("text", FALSE.split())
def test_words_for_false(text: str) -> None:
    assert resolve(text) is False


@pytest.mark.parametrize("text", ["", *NULL.split()])
def test_words_for_null(text: str) -> None:
    assert resolve(text) is None


@pytest.mark.parametrize("text", TEXT.split())
def test_what_only_looks_like_something_else_stays_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize("sign", ["", "-", "+"])
def test_a_number_of_thousands_of_digits_is_text_as_in_go(sign: str) -> None:
    text = sign + "9" * 5000
    assert resolve(text) == text
    with pytest.raises(InvalidManifest, match="not of the type"):
        resolve_tagged(text, "!!int")


@pytest.mark.parametrize(("text", "number"), NUMBERS.items())
def test_numbers_are_gos(text: str, number: float) -> None:
    value = resolve(text)
    assert value == number
    assert type(value) is type(number)


@pytest.mark.parametrize("text", [".inf", "+.Inf", ".INF", "-.inf", ".nan", ".NaN"])
def test_what_is_not_finite_is_a_float(text: str) -> None:
    value = resolve(text)
    assert isinstance(value, float)
    assert not math.isfinite(value)


@pytest.mark.parametrize(("text", "key"), KEYS.items())
def test_keys_become_the_text_that_go_makes_of_them(text: str, key: str) -> None:
    assert key_text(resolve(text)) == key


@pytest.mark.parametrize("text", ["~", "null", "", "18446744073709551615"])
def test_a_key_that_go_makes_no_text_of_is_refused(text: str) -> None:
    with pytest.raises(InvalidManifest, match="not text") as caught:
        key_text(resolve(text))
    assert caught.value.hint == "quote the key"


@pytest.mark.parametrize(("tagged", "value"), TAGGED.items())
def test_tags_are_obeyed(tagged: tuple[str, str], value: Plain) -> None:
    tag, text = tagged
    found = resolve_tagged(text, tag.replace("!!", "tag:yaml.org,2002:"))
    assert found == value
    assert type(found) is type(value)


def test_the_non_specific_tag_means_text() -> None:
    assert resolve_tagged("1", "!") == "1"


@pytest.mark.parametrize(
    ("tag", "text"),
    [("int", "1.5"), ("null", "x"), ("bool", "1"), ("float", "x"), ("int", "canary")],
)
def test_a_value_that_is_not_of_its_tags_type_is_refused(tag: str, text: str) -> None:
    with pytest.raises(InvalidManifest, match="not of the type") as caught:
        resolve_tagged(text, f"tag:yaml.org,2002:{tag}")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["aG k=", "aGk", "_w==", "/w=="])
def test_binary_that_is_not_base64_of_utf8_is_refused(text: str) -> None:
    with pytest.raises(InvalidManifest, match="base64 of UTF-8"):
        resolve_tagged(text, "tag:yaml.org,2002:binary")


@pytest.mark.parametrize("tag", ["!canary", "tag:yaml.org,2002:set", "tag:example.com:canary"])
def test_an_unknown_tag_is_refused_and_not_repeated(tag: str) -> None:
    with pytest.raises(InvalidManifest, match="tag") as caught:
        resolve_tagged("x", tag)
    assert "canary" not in str(caught.value) + caught.value.hint
