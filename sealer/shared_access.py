"""Changes of a SharedSecret's access list, and what it says about each reader. Pure.

The list is read as people mean it: a subject may stand in several lines, and has what any of them
gives. Who may change the list at all is the API server's to say (docs/decisions/0024).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sealer.errors import Refused
from sealer.manifests.models import API_VERSION, AccessRule
from sealer.manifests.validation import check_access

ALL: Final = "*"
WORDS: Final = ("view", "update", "sync", "delete")
_INCLUDING_VIEW: Final = frozenset({"update", "delete"})

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom a change is about."""

    users: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


def granted(
    access: Sequence[AccessRule], verbs: Collection[str], to: Subjects, *, name: str = ""
) -> tuple[AccessRule, ...]:
    """An access list that gives somebody more.

    Args:
        access: as it is.
        verbs: what is given.
        to: whom.
        name: the line to put it in; empty for one that gives just that, or a new one, and for
            nobody who has it all already.

    Raises:
        Refused: the line of that name gives something else.
        InvalidManifest: the list would not be valid, such as with a verb or user that may not be.
    """
    ordered = _ordered(verbs)
    if not name and ordered:
        lacking = _lacking(access, ordered, to)
        if lacking == Subjects() != to:
            return tuple(access)
        to = lacking
    for index, rule in enumerate(access):
        if (rule.name == name) if name else (set(rule.verbs) == set(ordered)):
            if set(rule.verbs) != set(ordered):
                raise Refused(
                    f"line {name} of access gives {', '.join(rule.verbs)}",
                    hint="leave out --line, or choose another",
                )
            return _checked([*access[:index], _with(rule, to), *access[index + 1 :]])
    name = name or _free_name(ordered, access)
    rule = AccessRule(name=name, verbs=ordered, users=to.users, teams=to.teams)
    return _checked([*access, rule])


def revoked(
    access: Sequence[AccessRule], verbs: Collection[str], of: Subjects
) -> tuple[AccessRule, ...]:
    """An access list that gives somebody less; lines that name nobody any more are gone.

    Args:
        access: as it is.
        verbs: what is taken away; empty for everything.
        of: from whom.

    Raises:
        Refused: view is to go, and update or delete, which include it, is to stay.
    """
    taken = _each(verbs or [ALL])
    after: list[AccessRule] = []
    for rule in access:
        gives = _each(rule.verbs)
        concerned = Subjects(_both(rule.users, of.users), _both(rule.teams, of.teams))
        if not (concerned.users or concerned.teams) or not gives & taken:
            after.append(rule)
            continue
        smaller = replace(
            rule,
            users=tuple(each for each in rule.users if each not in concerned.users),
            teams=tuple(each for each in rule.teams if each not in concerned.teams),
        )
        after += [smaller] if smaller.users or smaller.teams else []
        if rest := gives - taken:
            after = list(granted(after, rest, concerned))
    _check_revoked(after, taken, of)
    return tuple(after)


def readers(access: Iterable[AccessRule]) -> dict[str, tuple[str, ...]]:
    """Who has what, by `user NAME` and `team NAME`, in the order of the list."""
    found: dict[str, set[str]] = {}
    for rule in access:
        for name in _names(Subjects(rule.users, rule.teams)):
            found.setdefault(name, set()).update(_with_view(_each(rule.verbs)))
    return {name: _ordered(verbs) for name, verbs in found.items()}


def source_in_git(shared: Object) -> str:
    """The SealedSecret that a SharedSecret is made from; empty where there is none."""
    for owner in shared["metadata"].get("ownerReferences") or ():
        if (owner.get("apiVersion"), owner.get("kind")) == (API_VERSION, "SealedSecret"):
            return str(owner.get("name", ""))
    return ""


def _lacking(access: Sequence[AccessRule], verbs: Sequence[str], who: Subjects) -> Subjects:
    """Those who do not have all of these verbs yet."""
    has, wanted = readers(access), _with_view(_each(verbs))
    return Subjects(
        tuple(name for name in who.users if wanted - set(has.get(f"user {name}", ()))),
        tuple(name for name in who.teams if wanted - set(has.get(f"team {name}", ()))),
    )


def _check_revoked(access: Sequence[AccessRule], taken: set[str], of: Subjects) -> None:
    """What is taken away must be gone; view stays with who may change or delete."""
    has = readers(access)
    for name in _names(of):
        if left := taken & set(has.get(name, ())):
            stays = " and ".join(_ordered(_INCLUDING_VIEW & set(has[name])))
            raise Refused(
                f"{name} has {stays}, which includes {', '.join(left)}",
                hint=f"take {stays} away as well",
            )


def _with(rule: AccessRule, to: Subjects) -> AccessRule:
    return replace(
        rule,
        users=tuple(dict.fromkeys((*rule.users, *to.users))),
        teams=tuple(dict.fromkeys((*rule.teams, *to.teams))),
    )


def _checked(access: Sequence[AccessRule]) -> tuple[AccessRule, ...]:
    rules = tuple(access)
    check_access(rules, field="spec.access")
    return rules


def _free_name(verbs: Sequence[str], access: Sequence[AccessRule]) -> str:
    names = {rule.name for rule in access}
    first = "all" if ALL in verbs else "-".join(verbs)
    others = (f"{first}-{number}" for number in range(2, len(names) + 3))
    return next(name for name in (first, *others) if name not in names)


def _each(verbs: Collection[str]) -> set[str]:
    return set(WORDS) if ALL in verbs else set(verbs)


def _with_view(verbs: set[str]) -> set[str]:
    return verbs | {"view"} if verbs & _INCLUDING_VIEW else verbs


def _names(subjects: Subjects) -> list[str]:
    """As `readers` has them."""
    return [f"user {name}" for name in subjects.users] + [f"team {name}" for name in subjects.teams]


def _ordered(verbs: Collection[str]) -> tuple[str, ...]:
    """Each once, in the order in which they are explained; unknown ones last, to be refused."""
    if ALL in verbs:
        return (ALL,)
    return tuple(sorted(set(verbs), key=lambda verb: ([*WORDS, verb].index(verb), verb)))


def _both(some: Sequence[str], others: Collection[str]) -> tuple[str, ...]:
    return tuple(each for each in some if each in others)
