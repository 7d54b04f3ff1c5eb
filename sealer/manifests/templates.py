"""Templates in `spec.template.data`: text in which `{{ item }}` stands for an item's value.

The text of a template comes from whoever may write to Git, and it is rendered in the process that
holds the unsealing keys. So this is a small language and stays one: items, string literals and a
few filters, all of them ours. There are no conditions, loops, calls, attributes or operators, no
filter takes an argument, and whether rendering fails tells nothing about a value but what
docs/decisions/0006-templates-are-a-small-language.md lists.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sealer.errors import InvalidTemplate
from sealer.manifests.template_expressions import (
    MAX_EXPRESSIONS,
    MAX_SIZE,
    Expression,
    Filter,
    check_json_object,
    padded_size,
    refused,
)

_NAMES_SHOWN = 20
# The API server parses these, and its error quotes characters, even whole numbers, of what it
# cannot read (ValidateSecret in pkg/apis/core/validation of Kubernetes 1.35).
PARSED_BY_API_SERVER = frozenset({".dockercfg", ".dockerconfigjson"})
"""Keys whose templates must give JSON whatever the values are."""
_JSON_HINT = "write values as {{ item | tojson }}, with no quotes around them"


@dataclass(frozen=True, slots=True)
class Template:
    """A template that has been checked; made by `parse`."""

    _parts: tuple[str | Expression, ...]

    @property
    def references(self) -> frozenset[str]:
        """The names of the items that the template uses."""
        return frozenset(e.item for e in self._expressions if e.item is not None)

    @property
    def expressions(self) -> int:
        """How many `{{ … }}` the template has."""
        return sum(1 for _ in self._expressions)

    def greatest_size(self, items: Mapping[str, bytes]) -> int:
        """The most bytes that rendering can give, told without looking into any value.

        A value counts with its padded length (a multiple of 64 bytes) times the greatest growth of
        each filter.

        Raises:
            InvalidTemplate: an item that the template uses is missing.
        """
        self.check_references(items.keys())
        return sum(
            len(part.encode()) if isinstance(part, str) else part.greatest_size(items)
            for part in self._parts
        )

    def check_references(self, item_keys: Collection[str]) -> None:
        """Check that every item that is used exists.

        Raises:
            InvalidTemplate: one does not; the message names the line, the hint what there is.
        """
        for expression in self._expressions:
            if expression.item is not None and expression.item not in item_keys:
                raise _missing(expression.line, expression.item, item_keys)

    def render(self, items: Mapping[str, bytes]) -> bytes:
        """The template's text with every expression replaced by its value, as UTF-8.

        Everything outside `{{ … }}` comes out byte for byte, the final newline included.

        Args:
            items: the opened values of the object by item name; only those used are looked at.

        Raises:
            InvalidTemplate: an item is missing, a value is not UTF-8 or not base64 where it must
                be, or the result could be larger than `MAX_SIZE`.
        """
        if self.greatest_size(items) > MAX_SIZE:
            raise _too_large()
        try:
            return "".join(
                part if isinstance(part, str) else part.evaluate(items) for part in self._parts
            ).encode()
        except InvalidTemplate as error:
            # The frames below hold single values as locals: whatever prints a traceback with its
            # locals is not to find them.
            raise error.with_traceback(None) from None

    def check_json(self) -> None:
        """Make sure that the result is a JSON object whatever the values are.

        Raises:
            InvalidTemplate: it is not, or is so for some values only.
        """
        shape = "".join(
            part if isinstance(part, str) else _json_shape(part) for part in self._parts
        )
        check_json_object(shape, hint=_JSON_HINT)

    @property
    def _expressions(self) -> Iterator[Expression]:
        return (part for part in self._parts if isinstance(part, Expression))


def parse(source: str) -> Template:
    """Check a template without rendering it.

    Raises:
        InvalidTemplate: the source is larger than `MAX_SIZE`, has more than `MAX_EXPRESSIONS`
            expressions, or uses what is not in the language; the message names the line and never
            quotes the source but for names of items and filters.
    """
    from sealer.manifests import template_syntax  # noqa: PLC0415 - it imports Jinja2: 70 ms

    return Template(template_syntax.parts_of(source))


def check_all(templates: Mapping[str, str], *, item_keys: Collection[str]) -> None:
    """Check `spec.template.data` of one object as far as that needs no value.

    Raises:
        InvalidTemplate: as `render_all`, except for what only values can show.
    """
    _parse_all(templates, item_keys)


def render_all(templates: Mapping[str, str], items: Mapping[str, bytes]) -> dict[str, bytes]:
    """Render `spec.template.data` of one object.

    Args:
        templates: template sources by the key under which the result is put.
        items: the opened values of the object by item name.

    Returns:
        The rendered values by the keys of `templates`, in their order; the items are not in it.

    Raises:
        InvalidTemplate: as `parse` and `Template.render`; also a key is an item's name too, or the
            templates of the object together have more than `MAX_EXPRESSIONS` expressions, or its
            items and results could add up to more than `MAX_SIZE`, or the key of a registry
            configuration would hold what is not JSON. `key` names the template.
    """
    size = sum(padded_size(value) for value in items.values())
    rendered = {}
    for key, template in _parse_all(templates, items.keys()).items():
        with _located(f"template.data.{key}"):
            size += template.greatest_size(items)
            if size > MAX_SIZE:
                raise _too_large()
            rendered[key] = template.render(items)
    return rendered


def _parse_all(templates: Mapping[str, str], item_keys: Collection[str]) -> dict[str, Template]:
    expressions = 0
    parsed = {}
    for key, source in templates.items():
        with _located(f"template.data.{key}"):
            if key in item_keys:
                raise InvalidTemplate("an item has the same name", hint="rename one of the two")
            template = parsed[key] = parse(source)
            template.check_references(item_keys)
            if key in PARSED_BY_API_SERVER:
                template.check_json()
            expressions += template.expressions
            if expressions > MAX_EXPRESSIONS:
                raise InvalidTemplate(
                    f"the templates of this object have more than {MAX_EXPRESSIONS} expressions"
                )
    return parsed


@contextmanager
def _located(key: str) -> Iterator[None]:
    try:
        yield
    except InvalidTemplate as error:
        raise error.at(key=key) from None


# Stands for every value: a filter's result that is JSON by itself, or one that is only good inside
# a string, where "z" is a character that cannot complete an escape and so cannot hide one.
def _json_shape(expression: Expression) -> str:
    if expression.item is None:
        return expression.evaluate({})
    match expression.filters[-1:]:
        case (Filter.TOJSON,):
            return '""'
        case (Filter.B64ENCODE | Filter.URLENCODE,):
            return "z"
        case _:
            what = "this key must be JSON, and this value need not be"
            raise refused(expression.line, what, hint=_JSON_HINT)


def _too_large() -> InvalidTemplate:
    return InvalidTemplate(
        "the result could be larger than 1 MiB",
        hint="each value counts rounded up to 64 bytes, each filter with its greatest growth "
        "(tojson: 6 times); use fewer or smaller values",
    )


def _missing(line: int, name: str, items: Collection[str]) -> InvalidTemplate:
    like = [other for other in sorted(items) if _folded(other) == _folded(name)]
    if like:
        hint = f'did you mean {{{{ data["{like[0]}"] }}}}?'
    else:
        shown = sorted(items)[:_NAMES_SHOWN]
        more = f" and {len(items) - len(shown)} more" if len(items) > len(shown) else ""
        hint = f"the items are {', '.join(shown)}{more}" if items else "the object has no items"
    return refused(line, f"there is no item {name!r}", hint=hint)


def _folded(name: str) -> str:
    return re.sub("[-._]", "", name).casefold()
