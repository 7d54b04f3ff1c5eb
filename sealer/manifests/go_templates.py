"""The Go templates of sealed-secrets, `spec.template.data`: a part of them, rendered as Go does.

What is not understood is refused before anything is opened, with its line and name, rather than
rendered wrong; docs/migrating-from-sealed-secrets.md lists what is. Nothing that stands in a value
can be learned from whether rendering fails, but whether an item under `b64dec` is base64. Where
our own templates can say the same, a template is translated into them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sealer.errors import InvalidTemplate
from sealer.manifests.go_expressions import (
    Call,
    Expression,
    Function,
    Item,
    Text,
    evaluate,
    greatest_size,
    items_of,
)
from sealer.manifests.go_template_syntax import Action, Part, parts_of
from sealer.manifests.template_expressions import (
    MAX_EXPRESSIONS,
    MAX_SIZE,
    Filter,
    check_json_object,
    refused,
)
from sealer.manifests.templates import PARSED_BY_API_SERVER

_NATIVE = {
    Function.B64ENC: Filter.B64ENCODE,
    Function.B64DEC: Filter.B64DECODE,
    Function.TRIM: Filter.TRIM,
}
_BARE = re.compile(r"(?!(?:data|true|false|none|True|False|None|not)$)[A-Za-z_][A-Za-z0-9_]*")
# A brace that would begin an expression of ours, or touch one.
_BRACE = re.compile(r"\{(?=[{%#]|\Z)")
_JSON_HINT = "write values as {{ .item | toJson }}, with no quotes around them"


@dataclass(frozen=True, slots=True)
class GoTemplate:
    """A template that has been checked; made by `parse`."""

    parts: tuple[Part, ...]

    @property
    def actions(self) -> Sequence[Action]:
        """The expressions in it."""
        return [part for part in self.parts if isinstance(part, Action)]

    @property
    def references(self) -> frozenset[str]:
        """The items that are used."""
        return frozenset(name for one in self.actions for name in items_of(one.expression))

    def check_references(self, item_keys: Collection[str]) -> None:
        """Check that every item that is used exists.

        Raises:
            InvalidTemplate: one does not; theirs would render it as nothing, or `<no value>`.
        """
        for action in self.actions:
            for name in items_of(action.expression):
                if name not in item_keys:
                    hint = f"the items are {', '.join(sorted(item_keys))}" if item_keys else ""
                    raise refused(action.line, f"there is no item {name!r}", hint=hint)

    def check_json(self) -> None:
        """Make sure that the result is a JSON object, if `check_json_values` finds nothing.

        Raises:
            InvalidTemplate: it is not, or depends on more of the values than that.
        """
        shape = "".join(
            part if isinstance(part, str) else _json_shape(part.expression, part.line)
            for part in self.parts
        )
        check_json_object(shape, hint=_JSON_HINT)

    def check_json_values(self, items: Mapping[str, bytes]) -> None:
        """Check that items which are written without `toJson` are what JSON has between quotes.

        Raises:
            InvalidTemplate: one is not.
        """
        for action in self.actions:
            for name, text in _texts_in_json(action.expression, items):
                if not _is_json_text(text):
                    what = f"the value of item {name!r} cannot stand in JSON as it is"
                    raise refused(action.line, what, hint=_JSON_HINT)

    def greatest_size(self, sizes: Mapping[str, int]) -> int:
        """The most bytes that rendering can give, told from the lengths of the items."""
        return sum(
            len(part.encode()) if isinstance(part, str) else greatest_size(part.expression, sizes)
            for part in self.parts
        )

    def render(self, items: Mapping[str, bytes]) -> bytes:
        """What Go gives, byte for byte.

        Raises:
            InvalidTemplate: an item is not base64 where it must be.
        """
        try:
            return b"".join(
                part.encode()
                if isinstance(part, str)
                else evaluate(part.expression, items, line=part.line)
                for part in self.parts
            )
        except InvalidTemplate as error:
            raise error.with_traceback(None) from None  # the frames below hold values

    def to_native(self) -> str:
        """The same as a template of ours.

        Raises:
            InvalidTemplate: ours have nothing that gives the same for all values.
        """
        pieces: list[str | _Native] = []
        for part in self.parts:
            if isinstance(part, str):
                pieces.append(part)
            else:
                pieces += _native(part.expression, part.line)
        return _joined(pieces)


def parse(source: str) -> GoTemplate:
    """Check a template without rendering it.

    Raises:
        InvalidTemplate: it uses what is not understood.
    """
    return GoTemplate(parts_of(source))


def check_all(sources: Mapping[str, str], *, item_keys: Collection[str]) -> dict[str, GoTemplate]:
    """Check `spec.template.data` of one object as far as that needs no value.

    Raises:
        InvalidTemplate: it uses what is not understood, or an item that is not there; the templates
            together have more than `MAX_EXPRESSIONS` expressions. `key` names the template.
    """
    parsed: dict[str, GoTemplate] = {}
    expressions = 0
    for key, source in sources.items():
        with _located(key):
            template = parsed[key] = parse(source)
            template.check_references(item_keys)
            expressions += len(template.actions)
            if expressions > MAX_EXPRESSIONS:
                raise InvalidTemplate(
                    f"the templates of this object have more than {MAX_EXPRESSIONS} expressions"
                )
    return parsed


def check_registries(parsed: Mapping[str, GoTemplate]) -> None:
    """Check that what an API server parses is JSON, as far as that needs no value.

    Its error would quote a character of what is not. Whoever holds the keys may render all the
    same; a controller must not.

    Raises:
        InvalidTemplate: `key` names the template.
    """
    for key in PARSED_BY_API_SERVER & parsed.keys():
        with _located(key):
            parsed[key].check_json()


def check_registry_values(sources: Mapping[str, str], items: Mapping[str, bytes]) -> None:
    """Check the rest, with the values.

    Raises:
        InvalidTemplate: an item cannot stand in JSON as its template, which `key` names, has it.
    """
    for key in PARSED_BY_API_SERVER & sources.keys():
        with _located(key):
            parse(sources[key]).check_json_values(items)


def render_all(sources: Mapping[str, str], items: Mapping[str, bytes]) -> dict[str, bytes]:
    """Render `spec.template.data` of one object; a result takes the place of an item of its name.

    Raises:
        InvalidTemplate: as `check_all`; an item is not base64 where it must be; items and results
            could add up to more than 1 MiB.
    """
    sizes = {name: len(value) for name, value in items.items()}
    total = sum(sizes.values())
    rendered = {}
    for key, template in check_all(sources, item_keys=items.keys()).items():
        with _located(key):
            total += template.greatest_size(sizes)
            if total > MAX_SIZE:
                raise InvalidTemplate(
                    "the result could be larger than 1 MiB",
                    hint="each function counts with its greatest growth (toJson: 6 times)",
                )
            rendered[key] = template.render(items)
    return rendered


@dataclass(frozen=True, slots=True)
class _Native:
    """An expression of ours."""

    item: str
    filters: tuple[Filter, ...] = ()

    def __str__(self) -> str:
        name = self.item if _BARE.fullmatch(self.item) else f'data["{self.item}"]'
        return "{{ " + " | ".join([name, *self.filters]) + " }}"


def _native(expression: Expression, line: int) -> list[str | _Native]:
    if isinstance(expression, Text) or not any(items_of(expression)):
        return [_literal(evaluate(expression, {}), line)]
    if isinstance(expression, Item):
        return [_Native(expression.name)]
    if expression.function is Function.PRINT:
        return [piece for each in expression.arguments for piece in _native(each, line)]
    return [_filtered(expression, line)]


def _filtered(call: Call, line: int) -> _Native:
    inner = _native(call.argument, line) if call.function in _NATIVE else []
    match inner:
        case [_Native(item=item, filters=filters)]:
            return _Native(item, (*filters, _NATIVE[call.function]))
    what = "several values together under " if call.function in _NATIVE else ""
    raise refused(
        line,
        f"{what}{call.function} has no counterpart in templates of ours that gives the same",
        hint="seal the finished text as an item instead: `sealer unseal` shows it",
    )


def _literal(raw: bytes, line: int) -> str:
    text = raw.decode(errors="replace")
    if text.encode() != raw:
        raise refused(line, "a string literal is not UTF-8 text, and ours must be")
    return text


def _joined(pieces: Sequence[str | _Native]) -> str:
    result, text = "", ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        else:
            result += _BRACE.sub('{{ "{" }}', text) + str(piece)
            text = ""
    return result + re.sub(r"\{(?=[{%#])", '{{ "{" }}', text)


# Stands for every value: a result that is JSON by itself, or one that is only good inside a string.
def _json_shape(expression: Expression, line: int) -> str:
    if not any(items_of(expression)):
        return _literal(evaluate(expression, {}), line)
    match expression:
        case Call(function=Function.TO_JSON) | Call(function=Function.QUOTE, arguments=(Item(),)):
            return '""'
        case Call(function=Function.B64ENC | Function.URLQUERY) | Item():
            return "z"
        case Call(function=Function.PRINT, arguments=arguments):
            return "".join(_json_shape(each, line) for each in arguments)
    what = "this key must be JSON, and this value need not be"
    raise refused(line, what, hint=_JSON_HINT)


# Of an item alone, and of nothing that was done to it: what fails answers one question about each.
def _texts_in_json(
    expression: Expression, items: Mapping[str, bytes]
) -> Iterator[tuple[str, bytes]]:
    match expression:
        case Item(name=name):
            yield name, b'"' + items[name] + b'"'
        case Call(function=Function.QUOTE, arguments=(Item(name=name),)):
            yield name, evaluate(expression, items)
        case Call(function=Function.PRINT, arguments=arguments):
            for each in arguments:
                yield from _texts_in_json(each, items)


# Not in a `try` that raises: the library's own error holds the value. Go reads what is no UTF-8.
def _is_json_text(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text.decode(errors="surrogateescape")), str)
    except ValueError:
        return False


@contextmanager
def _located(key: str) -> Iterator[None]:
    try:
        yield
    except InvalidTemplate as error:
        raise error.at(key=f"template.data.{key}") from None
