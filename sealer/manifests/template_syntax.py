"""From the text of a template to its parts: literal text and checked expressions.

Jinja2's lexer and parser read each expression, so that the syntax is one that people and editors
know; its tree is then held to an allow-list and translated. Jinja2 never sees the text between
expressions, which is how that stays byte for byte, and never evaluates anything. Importing this
module imports Jinja2 (70 ms), so `templates` does so only when there is a template.
"""

from __future__ import annotations

import re

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from sealer.manifests.template_expressions import (
    MAX_EXPRESSIONS,
    Expression,
    Filter,
    check_source,
    refused,
)

# Characters. An item's name has at most 253 of them; the rest is for filters and literals.
MAX_EXPRESSION_LENGTH = 1024

# An item with eight filters has 22 tokens. Jinja2's parser is recursive: some tokens cost one
# Python frame, a bracket about fifteen, so both limits together stay far from the interpreter's.
_MAX_TOKENS = 32
_MAX_BRACKETS = 4

_OPENING = re.compile(r"\{[{%#]")
# Ends at the first `}}` outside a string literal. Possessive, so that it runs in linear time.
_EXPRESSION = re.compile(
    r"""\{\{((?:"(?:[^"\\\n]|\\[^\n])*+"|'(?:[^'\\\n]|\\[^\n])*+'|[^"'}]|\}(?!\}))*+)\}\}"""
)
_LITERAL = re.compile(r"""(["'])(?:[^\\\n]|\\[\\"'nrt])*\1""")
_ITEM_NAME = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_BARE_NAME = re.compile(r"\s*(?:data\.)?([-._a-zA-Z0-9]{1,253})\s*(?:\|.*)?", re.DOTALL)
_NEVER_BARE = frozenset({"data", "true", "false", "none", "True", "False", "None", "not"})

_SYNTAX_HINT = (
    'write {{ item }} or {{ data["item"] }}, then filters: {{ item | urlencode }}; '
    "see docs/templates.md"
)


def parts_of(source: str) -> tuple[str | Expression, ...]:
    """Split a template into literal text and expressions, in order.

    Raises:
        InvalidTemplate: see `templates.parse`.
    """
    check_source(source)
    parts: list[str | Expression] = []
    position, line = 0, 1
    while opening := _OPENING.search(source, position):
        start = opening.start()
        line += source.count("\n", position, start)
        if len(parts) >= 2 * MAX_EXPRESSIONS:
            raise refused(line, f"there are more than {MAX_EXPRESSIONS} expressions")
        end, inner = _delimited(source, start, line)
        parts += [source[position:start], _parse_expression(inner, line)]
        line += source.count("\n", start, end)
        position = end
    return (*parts, source[position:])


def _delimited(source: str, start: int, line: int) -> tuple[int, str]:
    opening = source[start : start + 2]
    if opening != "{{":
        what = "a comment {# #}" if opening == "{#" else "a statement {% %}"
        hint = f'for the characters themselves write {{{{ "{opening}" }}}}'
        raise refused(line, f"{what} is not allowed in a template", hint=hint)
    expression = _EXPRESSION.match(source, start)
    if expression is None:
        hint = 'close it, and each quote in it; for the characters themselves write {{ "{{" }}'
        raise refused(line, "{{ is not closed by }}", hint=hint)
    return expression.end(), expression[1]


def _parse_expression(inner: str, line: int) -> Expression:
    if len(inner) > MAX_EXPRESSION_LENGTH:
        raise refused(line, f"an expression is longer than {MAX_EXPRESSION_LENGTH} characters")
    if inner.startswith(("-", "+")) or inner.endswith("-"):
        hint = "the text around an expression stays as it is: write {{ item }}"
        raise refused(line, "whitespace control {{- -}} is not allowed", hint=hint)
    node: nodes.Node | None = _syntax_tree(inner, line)
    chain: list[nodes.Filter] = []
    while isinstance(node, nodes.Filter):
        chain.insert(0, node)
        node = node.node
    filters = tuple(_checked_filter(each, line, first=each is chain[0]) for each in chain)
    match node:
        case nodes.Const(value=str(literal)):
            return Expression(line, None, literal, filters)
        case nodes.Name(name=name) if name != "data":
            return Expression(line, _checked_name(name, line), filters=filters)
        case nodes.Getitem(node=nodes.Name(name="data"), arg=nodes.Const(value=str(name))):
            return Expression(line, _checked_name(name, line), filters=filters)
    raise refused(line, f"{_described(node)} is not allowed in a template", hint=_hint(inner))


def _syntax_tree(inner: str, line: int) -> nodes.Node:
    text = f"{{{{{inner}}}}}"
    environment = Environment()  # noqa: S701 - nothing is ever rendered with it
    tree = None
    try:
        _check_tokens([(kind, word) for _, kind, word in environment.lex(text)], line)
        tree = Parser(environment, text).parse()
    except TemplateSyntaxError:
        pass  # said below in our words
    match tree:
        case nodes.Template(body=[nodes.Output(nodes=[node])]):
            return node
    raise refused(line, "an expression cannot be read", hint=_hint(inner))


# Before Jinja2's parser sees it: what bounds its recursion, and escapes that would make it warn.
def _check_tokens(tokens: list[tuple[str, str]], line: int) -> None:
    words = [(kind, word) for kind, word in tokens if kind != "whitespace"]
    brackets = sum(1 for kind, word in words if kind == "operator" and word in "([{")
    if len(words) > _MAX_TOKENS or brackets > _MAX_BRACKETS:
        raise refused(line, "an expression is too long", hint=_SYNTAX_HINT)
    if not all(_LITERAL.fullmatch(word) for kind, word in words if kind == "string"):
        hint = "write the character itself; the escapes are \\\\ \\\" \\' \\n \\r \\t"
        raise refused(line, "a string has a line break or an unknown escape", hint=hint)


def _checked_name(name: str, line: int) -> str:
    if not _ITEM_NAME.fullmatch(name):
        raise refused(
            line,
            "an expression names what cannot be an item",
            hint="an item's name has 1 to 253 letters, digits, '-', '_' and '.'",
        )
    return name


def _checked_filter(node: nodes.Filter, line: int, *, first: bool) -> Filter:
    if node.name not in frozenset(Filter):
        hint = f"the filters are {', '.join(Filter)}"
        raise refused(line, f"there is no filter {node.name!r}", hint=hint)
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise refused(line, f"filter {node.name} takes no arguments")
    if node.name == Filter.B64DECODE and not first:
        # It is the one filter that can fail: after others it would answer questions about a value.
        raise refused(line, "b64decode must be the first filter")
    return Filter(node.name)


def _described(node: nodes.Node | None) -> str:
    match node:
        case nodes.Getattr():
            return "an attribute"
        case nodes.Call():
            return "a call"
        case (
            nodes.CondExpr()
            | nodes.And()
            | nodes.Or()
            | nodes.Not()
            | nodes.Compare()
            | nodes.Test()
        ):
            return "a condition"
        case nodes.BinExpr() | nodes.UnaryExpr() | nodes.Concat():
            return "an operator"
        case nodes.Const():
            return "a number, true, false or none"
        case _:
            return "this expression"


def _hint(inner: str) -> str:
    bare = _BARE_NAME.fullmatch(inner)
    if bare and (bare[1] in _NEVER_BARE or not bare[1].isidentifier() or "data." in inner):
        return f'the item "{bare[1]}" is written {{{{ data["{bare[1]}"] }}}}'
    return _SYNTAX_HINT
