"""Which configuration counts for a file, and whose word is not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealer.cli.repository import Repositories, git_root, is_trusted, shown
from sealer.config import FILE_NAME
from sealer.errors import UsageError

CONFIG = """\
apiVersion: sealer.dev/v1alpha1
kind: Config
clusters: {prod: {sealingKey: prod.pem}}
"""
RULES = "rules:\n- {path: apps/, clusters: [prod]}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, as far as the file system shows it, with a configuration."""
    made = tmp_path / "repository"
    (made / ".git").mkdir(parents=True)
    (made / "apps" / "shop").mkdir(parents=True)
    (made / FILE_NAME).write_text(CONFIG)
    monkeypatch.chdir(made)
    return made


def _root_for(file: Path) -> Path | None:
    found = Repositories().of(file)
    return None if found is None else found.root


def test_it_is_the_nearest_one_above_the_file_also_where_the_folder_is_to_be_made(
    root: Path,
) -> None:
    assert _root_for(root / "apps" / "new" / "deep" / "x.yaml") == root
    (root / "apps" / FILE_NAME).write_text(CONFIG)
    assert _root_for(root / "apps" / "shop" / "x.yaml") == root / "apps"
    assert _root_for(root / "x.yaml") == root


def test_a_repository_within_one_is_on_its_own(root: Path) -> None:
    (root / "apps" / ".git").write_text("gitdir: elsewhere\n")
    assert _root_for(root / "apps" / "shop" / "x.yaml") is None


def test_outside_of_git_nothing_above_the_current_folder_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / ".git").rmdir()
    assert _root_for(root / "apps" / "x.yaml") == root
    monkeypatch.chdir(root / "apps")
    assert _root_for(root / "apps" / "x.yaml") is None
    assert git_root(root) is None


def test_rules_see_a_file_where_links_lead_to(root: Path) -> None:
    (root / FILE_NAME).write_text(CONFIG + RULES)
    (root / "link").symlink_to("apps")
    repository = Repositories().of(root / "link" / "x.yaml")
    assert repository is not None
    assert repository.path_of(root / "link" / "x.yaml") == "apps/x.yaml"
    with pytest.raises(UsageError, match="is not below the folder"):
        repository.path_of(root.parent / "x.yaml")


def test_output_without_a_path_has_a_rule_only_where_all_files_have_the_same(root: Path) -> None:
    assert Repositories().at(root) is not None
    for rules, known in (
        ("", True),
        ("rules:\n- {path: '**', clusters: [prod]}\n", True),
        (RULES, False),
    ):
        (root / FILE_NAME).write_text(CONFIG + rules)
        repository = Repositories().at(root)
        assert repository is not None
        if known:
            assert repository.required_placement(None).key_files == ("prod.pem",)
        else:
            with pytest.raises(UsageError, match="standard output has none"):
                repository.required_placement(None)


@pytest.mark.parametrize(
    ("config", "folder", "me", "trusted"),
    [
        (1000, 1000, 1000, True),
        (0, 1000, 1000, True),
        (1000, 0, 1000, True),
        (2000, 2000, 1000, True),  # somebody else's checkout, as in a container
        (2000, 1000, 1000, False),
        (2000, 0, 1000, False),  # in /tmp, say
    ],
)
def test_a_configuration_is_trusted_where_the_folder_is(
    config: int, folder: int, me: int, *, trusted: bool
) -> None:
    assert is_trusted(config, folder=folder, me=me) is trusted


def test_paths_are_shown_as_one_would_type_them(root: Path) -> None:
    assert shown(root / "apps" / "x.yaml") == "apps/x.yaml"
    assert shown(root.parent / "y.yaml") == "../y.yaml"
    assert shown(Path("/")) == "/"
