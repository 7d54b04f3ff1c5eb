"""Made-up YAML files of every style, of which the test knows what each line belongs to.

A file is a list of lines; each knows the path of the entry or item that it is a part of. So a test
can say which bytes a change may touch without asking the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from sealer.manifests.documents import Path, Value

KEYS = ["a", "b2", "key-c", "d.e/f", "g_h", "Umlaut-ä", "😀"]
PLAIN = ["x", "some words", "http://h:80/p", "1.2.3", "-v", "a#b", "it's", "né"]
TYPED: list[tuple[str, Value]] = [
    ("1", 1),
    ("0o17", 15),
    ("y", True),
    ("Off", False),
    ("~", None),
    ("1e3", 1000.0),
    ("2026-11-22", "2026-11-22"),
    ("1:30", "1:30"),
]
QUOTABLE = ["", "y", "1e3", "0o17", "1234e01", "~", " a", "a: b", "# no", "null", "é😀", "a 'b'"]
COMMENTS = ["", "", "", "  # comment", " # y: 1, 'a' \"b\" [c] {d} - e: *f &g !h"]
BLOCKS = ["x\n", "x\n\ty: 1\n# no comment\n", "x\n\n  deeper\nback\n", "---\n...\n- a\n"]


@dataclass(frozen=True)
class Line:
    """One line without its line break; `path` is what it is a part of."""

    path: Path
    text: str


@dataclass
class Made:
    """A document: its lines and what it says."""

    value: Value
    lines: list[Line] = field(default_factory=list)

    def text(self, newline: str) -> str:
        """Return the text with line breaks, the last one included."""
        return "".join(line.text + newline for line in self.lines)


def _double(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@st.composite
def scalars(draw: st.DrawFn) -> tuple[str, Value]:
    """A scalar on one line, as text and as what it means."""
    style = draw(st.sampled_from(["plain", "typed", "double", "single"]))
    if style == "typed":
        return draw(st.sampled_from(TYPED))
    if style == "plain":
        text = draw(st.sampled_from(PLAIN))
        return text, text
    text = draw(st.sampled_from(QUOTABLE + PLAIN))
    return (_double if style == "double" else _single)(text), text


@st.composite
def flows(draw: st.DrawFn, depth: int = 0) -> tuple[str, Value]:
    """A value in flow style on one line."""
    if depth > 1 or draw(st.booleans()):
        written = draw(st.sampled_from(QUOTABLE))
        return _double(written), written
    children = draw(st.lists(flows(depth + 1), max_size=3))
    between = draw(st.sampled_from([", ", ",", " , "]))
    if draw(st.booleans()):
        return "[" + between.join(text for text, _ in children) + "]", [v for _, v in children]
    keys = KEYS[: len(children)]
    texts = [f"{key}: {text}" for key, (text, _) in zip(keys, children, strict=True)]
    return "{" + between.join(texts) + "}", dict(
        zip(keys, (value for _, value in children), strict=True)
    )


@st.composite
def mappings(draw: st.DrawFn, path: Path = (), indent: int = 0) -> Made:
    """A block mapping with comments, blank lines and values of every style."""
    made = Made({})
    assert isinstance(made.value, dict)
    step = draw(st.sampled_from([2, 4]))
    for key in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True)):
        if draw(st.integers(0, 4)) == 0:
            made.lines.append(Line(path, draw(st.sampled_from(["", " " * indent + "# above"]))))
        head = " " * indent + draw(st.sampled_from([key, _double(key), _single(key)])) + ":"
        child = draw(_values((*path, key), indent, step))
        made.value[key] = child.value
        made.lines.append(Line((*path, key), head + child.lines[0].text))
        made.lines += child.lines[1:]
    return made


@st.composite
def _values(draw: st.DrawFn, path: Path, indent: int, step: int) -> Made:
    """What stands behind a key; the first line is what follows on the key's own."""
    deep = len(path) >= 3
    style = draw(st.sampled_from(["scalar", "flow", "literal"] + ["mapping", "list"] * (not deep)))
    comment = draw(st.sampled_from(COMMENTS))
    match style:
        case "scalar" | "flow":
            text, value = draw(scalars() if style == "scalar" else flows())
            return Made(value, [Line(path, f" {text}{comment}")])
        case "literal":
            text = draw(st.sampled_from(BLOCKS))
            body = [" " * (indent + step) + line if line else "" for line in text.split("\n")[:-1]]
            lines = [Line(path, f" |{comment}"), *(Line(path, line) for line in body)]
            return Made(text, lines)
        case "mapping":
            child = draw(mappings(path, indent + step))
            return Made(child.value, [Line(path, comment), *child.lines])
        case _:
            dash = indent + draw(st.sampled_from([0, 2]))
            child = draw(_sequences(path, dash))
            return Made(child.value, [Line(path, comment), *child.lines])


@st.composite
def _sequences(draw: st.DrawFn, path: Path, indent: int) -> Made:
    made = Made([])
    assert isinstance(made.value, list)
    for index in range(draw(st.integers(1, 3))):
        own = (*path, index)
        if draw(st.booleans()):
            text, value = draw(scalars() | flows())
            made.value.append(value)
            comment = draw(st.sampled_from(COMMENTS))
            made.lines.append(Line(own, f"{' ' * indent}- {text}{comment}"))
            continue
        child = draw(mappings(own, indent + 2))
        while not child.lines[0].text.strip() or child.lines[0].text.lstrip().startswith("#"):
            child.lines.pop(0)
        made.value.append(child.value)
        made.lines.append(Line(own, " " * indent + "- " + child.lines[0].text.lstrip()))
        # What begins on the line of the dash cannot be told from the item by its lines.
        first = child.lines[0].path
        made.lines += [
            Line(own, line.text) if line.path[: len(first)] == first else line
            for line in child.lines[1:]
        ]
    return made


SHARED_KEYS = ("Anchor", "Alias", "Merge")


@st.composite
def documents(draw: st.DrawFn) -> Made:
    """A block mapping, at times with anchors, aliases and merges at its end."""
    made = draw(mappings())
    assert isinstance(made.value, dict)
    if draw(st.booleans()):
        shared: dict[str, Value] = {"a": ["x", "y"], "b": "z"}
        made.value.update(Anchor=shared, Alias=shared, Merge={**shared, "c": 1})
        made.lines += [
            Line(("Anchor",), "Anchor: &one-1 {a: [x, 'y'],  b: z}  # comment"),
            Line(("Alias",), "'Alias':   *one-1 # comment"),
            Line(("Merge",), "Merge:"),
            Line(("Merge",), "    <<: [*one-1]"),
            Line(("Merge", "c"), "    c: &unused 1"),
        ]
    return made


@dataclass(frozen=True)
class File:
    """A file of several documents; `last` is false where its last line has no line break."""

    documents: list[Made]
    newline: str
    mark: str
    separator: str
    last: bool

    def texts(self) -> list[str]:
        """The text of each document, with the separator in front of it."""
        texts = [document.text(self.newline) for document in self.documents]
        texts = [
            (self.separator + self.newline if index else self.mark) + text
            for index, text in enumerate(texts)
        ]
        if not self.last:
            texts[-1] = texts[-1].removesuffix(self.newline)
        return texts


FILES = st.builds(
    File,
    documents=st.lists(documents(), min_size=1, max_size=3),
    newline=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff", "# first\n---\n", "%YAML 1.1\n---\n"]),
    separator=st.sampled_from(["---", "--- # next", "...\n---", "---\n# about"]),
    last=st.booleans(),
)
