"""From the text of a Go template to its parts: literal text and parsed expressions.

Go's own rules for what is text, where an action ends, how white space is trimmed and what a string
literal means, for a small part of the language: items, literals, pipelines, a few functions. All
else (conditions, loops, variables, other functions) is refused with its line and name. Jinja2 has
no part in this: its syntax is another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from sealer.errors import InvalidTemplate
from sealer.manifests.go_expressions import Call, Expression, Function, Item, Text
from sealer.manifests.template_expressions import MAX_EXPRESSIONS, check_source, refused

# Characters. An item's name has at most 253 of them.
MAX_ACTION_LENGTH: Final = 2048
_MAX_BRACKETS: Final = 8
_MAX_INDENT: Final = 100

_SPACE: Final = " \t\r\n"
_COMMENT = re.compile(r"\{\{(?P<left>-[ \t\r\n])?/\*(?:[^*]|\*(?!/))*\*/(?P<right>[ \t\r\n]-)?\}\}")
_OPEN = re.compile(r"\{\{(?P<trim>-(?=[ \t\r\n]))?")
_CLOSE = re.compile(r"(?P<trim>[ \t\r\n]+-)?\}\}")
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<item>\$?\.[A-Za-z_][A-Za-z0-9_]*)
    |(?P<root>\$|\.)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`)
    |(?P<number>0|[1-9][0-9]{0,8})
    |(?P<sign>[|()])""",
    re.VERBOSE,
)
_OPERANDS: Final = frozenset({"item", "root", "word", "string", "number"})
_ASSIGNS = re.compile(r":?=|,")
_ITEM_NAME = re.compile(rb"[-._a-zA-Z0-9]{1,253}")
_KEYWORDS: Final = frozenset(
    {"block", "break", "continue", "define", "else", "end", "false", "if", "nil", "range"}
    | {"template", "true", "with"}
)
_ESCAPE = re.compile(
    r"""\\(?:(?P<short>[abfnrtv\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})
    |u(?P<code>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))|(?P<bad>\\)""",
    re.VERBOSE,
)
_SHORT: Final = MappingProxyType(dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True)))
_VERB = re.compile(r"%(?P<verb>.?)", re.DOTALL)

_HINT: Final = (
    "docs/migrating-from-sealed-secrets.md says what works; what does not can be put together "
    "before it is sealed, as an item of its own"
)


@dataclass(frozen=True, slots=True)
class Action:
    """One `{{ … }}`; `line` is where it begins in the template, counted from 1."""

    line: int
    expression: Expression


Part = str | Action


def parts_of(source: str) -> tuple[Part, ...]:
    """Split a template into literal text and expressions, in order; comments are gone.

    Raises:
        InvalidTemplate: it is no Go template, or uses what is not understood; the message names
            the line, and nothing of the source but names of functions.
    """
    check_source(source)
    parts: list[Part] = []
    position, line, trimmed = 0, 1, False
    while (start := source.find("{{", position)) >= 0:
        if len(parts) > 2 * MAX_EXPRESSIONS:
            raise refused(line, f"there are more than {MAX_EXPRESSIONS} expressions")
        text = source[position:start]
        line += text.count("\n")
        text = text.lstrip(_SPACE) if trimmed else text
        action = _action(source, start, line)
        parts.append(text.rstrip(_SPACE) if action.trims_left else text)
        if action.expression is not None:
            parts.append(Action(line, action.expression))
        line += source.count("\n", start, action.end)
        position, trimmed = action.end, action.trims_right
    rest = source[position:]
    return (*parts, rest.lstrip(_SPACE) if trimmed else rest)


@dataclass(frozen=True, slots=True)
class _Found:
    """An action in its place; the expression is None for a comment."""

    end: int
    trims_left: bool
    trims_right: bool
    expression: Expression | None


def _action(source: str, start: int, line: int) -> _Found:
    if comment := _COMMENT.match(source, start):
        return _Found(comment.end(), bool(comment["left"]), bool(comment["right"]), None)
    opening = _OPEN.match(source, start)
    tokens: list[_Token] = []
    position = opening.end() if opening else start
    while (closing := _CLOSE.match(source, position)) is None:
        token = _TOKEN.match(source, position)
        if token is None or token.end() - start > MAX_ACTION_LENGTH:
            assigns = token is None and _ASSIGNS.match(source, position)
            raise refused(line, _unread(tokens, assigns=bool(assigns)), hint=_HINT)
        tokens.append(_Token(token.lastgroup or "", token[0]))
        position = token.end()
    _check_adjacent(tokens, line)
    words = [token for token in tokens if token.kind != "space"]
    expression = _Parser(words, line).parse()
    trims_left = bool(opening and opening["trim"])
    return _Found(closing.end(), trims_left, bool(closing["trim"]), expression)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _unread(tokens: Sequence[_Token], *, assigns: bool) -> str:
    for token in tokens:
        if token.text in _KEYWORDS:
            return _described(token.text)
    return "a variable is not understood" if assigns else "an action cannot be read"


def _check_adjacent(tokens: Sequence[_Token], line: int) -> None:
    for one, other in pairwise(tokens):
        joined = other.kind in _OPERANDS or other.text == "("
        if joined and (one.kind in _OPERANDS or one.text == ")"):
            hint = 'an item with a dot in its name is written {{ index . "NAME" }}'
            raise refused(line, "a field of a value, or a variable, is not understood", hint=hint)


class _Root:
    """All items together: what `.` and `$` stand for."""


_Operand = Expression | _Root | int


@dataclass(slots=True)
class _Parser:
    """Reads the tokens of one action from left to right."""

    tokens: list[_Token]
    line: int
    position: int = 0
    depth: int = 0

    def parse(self) -> Expression:
        """The whole action."""
        expression = self._pipeline()
        if self._next() is not None:
            raise self._refused("an action cannot be read")
        return expression

    def _pipeline(self) -> Expression:
        value = self._command(())
        while self._takes("|"):
            value = self._command((value,))
        return value

    def _command(self, piped: tuple[Expression, ...]) -> Expression:
        token = self._next()
        name = ""
        if token is not None and token.kind == "word":
            name = token.text
            self.position += 1
            if name not in _LOWERED:  # before what it is given, which may be as unknown
                raise self._refused(_described(name))
        operands: list[_Operand] = []
        while (token := self._next()) is not None and token.text not in ("|", ")"):
            operands.append(self._operand(token))
        if name:
            return _LOWERED[name](self, [*operands, *piped])
        if len(operands) != 1 or piped:
            raise self._refused("an action cannot be read")
        return self._value(operands[0])

    def _operand(self, token: _Token) -> _Operand:
        self.position += 1
        match token.kind:
            case "item":
                return Item(token.text.lstrip("$."))
            case "root":
                return _Root()
            case "string":
                return Text(self._unquoted(token.text))
            case "number":
                return int(token.text)
            case "word":
                raise self._refused(_described(token.text))
            case _:
                return self._inner()

    def _inner(self) -> Expression:
        """What is in brackets; of all signs only an opening one comes where a value may stand."""
        self.depth += 1
        if self.depth > _MAX_BRACKETS:
            raise self._refused(f"brackets are nested more than {_MAX_BRACKETS} deep")
        inner = self._pipeline()
        if not self._takes(")"):
            raise self._refused("an action cannot be read")
        self.depth -= 1
        return inner

    def index(self, operands: list[_Operand]) -> Expression:
        """`index . "NAME"`."""
        match operands:
            case [_Root(), Text(raw=raw)] if _ITEM_NAME.fullmatch(raw):
                return Item(raw.decode())
        raise self._refused('index is understood as {{ index . "NAME" }} only')

    def printf(self, operands: list[_Operand]) -> Expression:
        """Text with the verbs %s, %v, %q and %%."""
        if not operands or not isinstance(operands[0], Text):
            raise self._refused("printf needs a format that is a string literal")
        values = [self._value(operand) for operand in operands[1:]]
        parts: list[Expression] = []
        form = operands[0].raw.decode("latin-1")  # byte by byte: each comes out as it is
        position = 0
        for match in _VERB.finditer(form):
            parts.append(Text(form[position : match.start()].encode("latin-1")))
            parts.append(self._formatted(match["verb"], values))
            position = match.end()
        if values:
            raise self._refused("printf has more arguments than its format uses")
        return Call(Function.PRINT, (*parts, Text(form[position:].encode("latin-1"))))

    def _formatted(self, verb: str, values: list[Expression]) -> Expression:
        if verb == "%":
            return Text(b"%")
        if verb not in ("s", "v", "q"):
            raise self._refused("printf is understood with %s, %v, %q and %% only")
        if not values:
            raise self._refused("printf has fewer arguments than its format uses")
        value = values.pop(0)
        return Call(Function.QUOTE, (value,)) if verb == "q" else value

    def print(self, operands: list[_Operand]) -> Expression:
        """All arguments after each other; they are text, so nothing comes between."""
        return Call(Function.PRINT, tuple(map(self._value, operands)))

    def indent(self, operands: list[_Operand]) -> Expression:
        """Spaces before each line."""
        match operands:
            case [int(width), value] if width <= _MAX_INDENT:
                return Call(Function.INDENT, (self._value(value),), width)
        raise self._refused(f"indent needs a number up to {_MAX_INDENT} and one value")

    def nindent(self, operands: list[_Operand]) -> Expression:
        """A line break, then as `indent`."""
        return Call(Function.PRINT, (Text(b"\n"), self.indent(operands)))

    def squote(self, operands: list[_Operand]) -> Expression:
        """In single quotes; Sprig escapes nothing."""
        return Call(Function.PRINT, (Text(b"'"), self.one(operands), Text(b"'")))

    def b64dec(self, operands: list[_Operand]) -> Expression:
        """What an item in base64 stands for."""
        value = self.one(operands)
        if not isinstance(value, Item):
            # It can fail: after other functions it would answer questions about a value.
            raise self._refused("b64dec is understood of an item only")
        return Call(Function.B64DEC, (value,))

    def one(self, operands: list[_Operand]) -> Expression:
        """The only argument."""
        if len(operands) != 1:
            raise self._refused("a function has more or fewer arguments than are understood")
        return self._value(operands[0])

    def _value(self, operand: _Operand) -> Expression:
        match operand:
            case _Root():
                raise self._refused("all items together are not understood")
            case int():
                raise self._refused("a number is not understood here")
            case _:
                return operand

    def _unquoted(self, text: str) -> bytes:
        if text.startswith("`"):
            return text[1:-1].replace("\r", "").encode()
        return b"".join(self._pieces(text[1:-1]))

    def _pieces(self, text: str) -> list[bytes]:
        pieces, position = [], 0
        for match in _ESCAPE.finditer(text):
            pieces += [text[position : match.start()].encode(), self._escaped(match)]
            position = match.end()
        return [*pieces, text[position:].encode()]

    def _escaped(self, match: re.Match[str]) -> bytes:
        if match["short"]:
            return _SHORT[match["short"]].encode()
        if match["byte"] or match["octal"]:
            return bytes([int(match["byte"] or match["octal"], 16 if match["byte"] else 8)])
        if match["bad"]:
            raise self._refused("a string literal has an unknown escape")
        try:
            return chr(int(match["code"] or match["long"], 16)).encode()
        except (ValueError, OverflowError):  # half a surrogate pair, or beyond Unicode
            raise self._refused("a string literal has an unknown escape") from None

    def _next(self) -> _Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def _takes(self, sign: str) -> bool:
        token = self._next()
        found = token is not None and token.text == sign
        self.position += found
        return found

    def _refused(self, what: str) -> InvalidTemplate:
        return refused(self.line, what, hint=_HINT)


def _described(word: str) -> str:
    if word in _KEYWORDS:
        return f"{word!r} is not understood: a template has no conditions, loops or definitions"
    return f"the function {word!r} is not understood"


def _simple(function: Function) -> Callable[[_Parser, list[_Operand]], Expression]:
    return lambda parser, operands: Call(function, (parser.one(operands),))


_LOWERED: Mapping[str, Callable[[_Parser, list[_Operand]], Expression]] = MappingProxyType(
    {
        "b64dec": _Parser.b64dec,
        "b64enc": _simple(Function.B64ENC),
        "indent": _Parser.indent,
        "index": _Parser.index,
        "nindent": _Parser.nindent,
        "print": _Parser.print,
        "printf": _Parser.printf,
        "quote": _simple(Function.QUOTE),
        "squote": _Parser.squote,
        "toJson": _simple(Function.TO_JSON),
        "toString": _Parser.one,
        "trim": _simple(Function.TRIM),
        "urlquery": _simple(Function.URLQUERY),
    }
)
