"""Text to documents and back without collateral damage: what the rest of sealer uses.

`read` gives the documents of a file as kubectl reads them, `edit` and `replace_document` say what
must change in its text, `apply` changes it, and nothing outside of the edits differs by a byte;
`dump` writes what is new. Nothing here opens a file, knows a kind of object, or puts a value into a
message or a repr.

    documents = read(text)
    edits = edit(documents[0], Put(("spec", "scope"), "strict"), Remove(("data", "old")))
    text = apply(text, edits)
"""

from __future__ import annotations

from sealer.manifests.changes import Change, Put, Remove, changed
from sealer.manifests.edits import Edit, apply
from sealer.manifests.nodes import Path, Value
from sealer.manifests.reading import Document, line_of, objects, read
from sealer.manifests.revision import revise, same
from sealer.manifests.surroundings import look_around
from sealer.manifests.writing import Data, Quoted, dump, dump_all, dump_json

__all__ = [
    "Change",
    "Data",
    "Document",
    "Edit",
    "Path",
    "Put",
    "Quoted",
    "Remove",
    "Value",
    "apply",
    "dump",
    "dump_all",
    "dump_json",
    "edit",
    "line_of",
    "objects",
    "read",
    "replace_document",
    "revise",
    "same",
]


def edit(document: Document, *changes: Change) -> tuple[Edit, ...]:
    """Return the edits of the file that make changes to a document, one after the other.

    Give all changes of one document at once; edits of several documents can be joined.

    Raises:
        InvalidManifest: as `revise`, or a path leads through a scalar.
        ValueError: as `changed` and `writing.dump`.
        TypeError: as `writing.dump`.
    """
    return revise(document, changed(document.value, changes))


def replace_document(document: Document, text: str, *, keep_comments: bool = False) -> Edit:
    """Return the edit that puts other text in the place of a whole document.

    Its `---` line stays, and whatever stands in other documents.

    Args:
        document: what goes.
        text: what comes; YAML, or JSON in a JSON stream. Its line breaks become the file's.
        keep_comments: comments above the first value stay. They may quote what was sealed.
    """
    around = look_around(
        document.text, document.start, document.part.root, is_json=document.is_json
    )
    body, end = document.part.body, document.part.body_end
    if document.is_json:
        return Edit(body, end, text.strip().replace("\n", around.newline))
    if keep_comments and document.part.root:
        body = around.line_start(document.part.root.start)
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    return Edit(body, end, around.insertion(body, lines, 0) if lines else "")
