"""Messages say what a template wants; a template that cannot work is refused when it is read."""

from __future__ import annotations

import pytest

from sealer.commit_message import MAX_TEMPLATE, MessageTemplate
from sealer.errors import InvalidConfig


def test_the_default_is_a_summary_and_what_was_done() -> None:
    message = MessageTemplate().render(
        command="reseal", summary="reseal 2 objects", details="shop/db\nshop/stripe"
    )
    assert message == "reseal 2 objects\n\nshop/db\nshop/stripe\n"


def test_without_details_nothing_is_left_of_their_place() -> None:
    assert MessageTemplate().render(command="set", summary="set shop/db") == "set shop/db\n"


def test_a_template_of_the_repository_is_used() -> None:
    template = MessageTemplate.read("chore({command}): {summary}\n\n{{ops}}\n")
    message = template.render(command="seal", summary="seal shop/db")
    assert message == "chore(seal): seal shop/db\n\n{ops}\n"


def test_a_summary_is_one_line_whatever_it_is_made_of() -> None:
    message = MessageTemplate.read("{summary}").render(command="set", summary="set\nshop/db")
    assert message == "set shop/db\n"


def test_what_stands_for_a_word_is_not_read_as_a_template() -> None:
    message = MessageTemplate().render(command="set", summary="{details}", details="{command}")
    assert message == "{details}\n\n{command}\n"


@pytest.mark.parametrize(
    "text",
    [
        "{summary",
        "summary}",
        "{}",
        "{0}",
        "{summary.__class__}",
        "{summary!r}",
        "{summary:>90}",
        "{unknown}",
        " \n",
        "{details}",
        "\0{summary}",
        "x" * (MAX_TEMPLATE + 1),
    ],
)
def test_a_template_that_cannot_work_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig):
        MessageTemplate.read(text)
