"""Sealing, resealing and verifying in the text of files: what changes, and what must not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from textwrap import indent

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Kind, Scope
from sealer.errors import InvalidManifest, Refused, SealerError
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.offers import KeyringOffers
from sealer.resealing_text import Held, reseal_source
from sealer.sealing import with_items
from sealer.sealing_text import Order, seal_raw, seal_sources, stream_text
from sealer.sources import Source, describe
from sealer.verification import Checked, Checks, Finding, find_duplicates, finding_of, verify_source

_OLD = UnsealingKey(b"made up for tests: the old key..")
_NEW = UnsealingKey(b"made up for tests: the new key..")
_RECOVERY = UnsealingKey(b"made up for tests: recovery key.")
_NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
_TEXT = """\
apiVersion: v1
kind: Secret
metadata: {name: NAME, namespace: shop}
stringData: {password: made-up-password}
"""
_OTHER = "# a comment\nkind:   ConfigMap\n"


def _held(key: UnsealingKey, ordinal: int, state: KeyState) -> HeldKey:
    record = KeyRecord(ordinal=ordinal, state=state, created_at=_NOW)
    return HeldKey(public=key.public, record=record, unwrapper=key)


_RING = Keyring.of([_held(_OLD, 1, KeyState.RETIRED), _held(_NEW, 2, KeyState.ACTIVE)])


def _secret(name: str) -> str:
    return _TEXT.replace("NAME", name)


def _source(text: str, name: str = "a.yaml") -> Source:
    return Source.read(name, text)


def _order(*keys: UnsealingKey, scope: Scope = Scope.STRICT, kind: Kind | None = None) -> Order:
    to = tuple(key.public for key in keys or (_OLD,))
    return Order(to=to, scope=scope, now=_NOW, kind=kind)


def _sealed(*names: str, keys: tuple[UnsealingKey, ...] = (_OLD,)) -> str:
    text = "---\n".join(_secret(name) for name in names)
    return seal_sources([_source(text)], _order(*keys))[0].text


def test_sealing_changes_the_documents_with_secrets_and_no_other_byte() -> None:
    text = f"{_OTHER}---\n{_secret('db')}--- # last\n{_OTHER}..."
    (result,) = seal_sources([_source(text)], _order())
    assert result.text.startswith(f"{_OTHER}---\napiVersion: sealer.dev/v1alpha1\n")
    assert result.text.endswith(f"--- # last\n{_OTHER}...")
    assert [str(sealed) for sealed in result.sealed] == ["SealedSecret shop/db"]
    assert len(result.values) == 3


def test_the_second_of_a_pair_leaves_no_document_behind() -> None:
    shared = _secret("db").replace("kind: Secret", "kind: SharedSecret").partition("stringData")[0]
    shared = shared.replace("v1", "sealer.dev/v1alpha1")
    for first, second in ((shared, _secret("db")), (_secret("db"), shared)):
        text = seal_sources([_source(f"{first}---\n{second}---\n{_OTHER}")], _order())[0].text
        assert [describe(at.value) for at in _source(text).objects()] == [
            "SealedSecret shop/db",
            "ConfigMap",
        ]
        assert len(_source(text).documents) == 2


def test_a_list_in_json_becomes_a_stream_of_objects() -> None:
    items = ", ".join(
        f'{{"apiVersion": "v1", "kind": "{kind}", "metadata": {{"name": "db", "namespace": "x"}}}}'
        for kind in ("Secret", "ConfigMap")
    )
    (result,) = seal_sources([_source(f'{{"kind": "List", "items": [{items}]}}\n')], _order())
    found = _source(result.text)
    assert found.is_json
    assert [describe(at.value) for at in found.objects()] == [
        "SealedSecret x/db",
        "ConfigMap x/db",
    ]


def test_sources_are_one_stream_with_separators_between_them() -> None:
    sources = [_source(_OTHER.rstrip(), "1"), _source("", "2"), _source(_secret("one"), "3")]
    text = stream_text(seal_sources(sources, _order()))
    assert text.startswith(f"{_OTHER}---\napiVersion: sealer.dev")
    assert len(_source(text).documents) == 2


def test_json_and_yaml_together_become_yaml_unless_json_is_asked_for() -> None:
    sources = [_source('{"kind": "ConfigMap"}', "1"), _source(_secret("db"), "2")]
    sealed = seal_sources(sources, _order())
    assert stream_text(sealed).startswith("kind: ConfigMap\n---\napiVersion: sealer.dev")
    listed = _source(stream_text(sealed, "json"))
    assert listed.is_json
    assert [describe(at.value) for at in listed.objects()] == ["ConfigMap", "SealedSecret shop/db"]


def test_a_byte_order_mark_stands_at_the_beginning_only() -> None:
    sources = [_source(_secret("one"), "1"), _source("\ufeff" + _secret("two"), "2")]
    assert "\ufeff" not in stream_text(seal_sources(sources, _order()))
    assert stream_text(seal_sources(sources[1:], _order())).startswith("\ufeffapiVersion")


def test_where_there_is_nothing_to_seal_there_is_no_result() -> None:
    with pytest.raises(InvalidManifest, match=r"^1, 2: there is no Secret to seal$"):
        seal_sources([_source(_OTHER, "1"), _source("", "2")], _order())


def test_an_error_says_which_line_of_which_file() -> None:
    text = f"{_OTHER}---\n{_secret('db').replace('password', 'pass word')}"
    with pytest.raises(InvalidManifest, match=r"^a\.yaml:7: Secret shop/db: key pass word: "):
        seal_sources([_source(text)], _order())


def test_raw_items_need_a_name_only_where_the_scope_binds_it() -> None:
    with pytest.raises(InvalidManifest, match="scope strict needs a name"):
        seal_raw({"a": b"x"}, name="", order=_order())
    order = _order(scope=Scope.CLUSTER_WIDE, kind=Kind.SHARED_SECRET)
    spec = seal_raw({"a": b"x"}, name="", order=order)
    assert isinstance(spec, dict)
    assert list(spec["spec"]) == ["scope", "seals", "encryptedData", "template"]


def test_a_parse_error_says_file_and_line_and_not_the_text() -> None:
    with pytest.raises(InvalidManifest, match=r"^a\.yaml:3: ") as caught:
        _source("a: 1\nb: [made-up-password\n---")
    assert "made-up-password" not in str(caught.value)


def test_resealing_leaves_only_the_newest_key() -> None:
    text = f"# kept\n{_sealed('one', 'two')}"
    result = reseal_source(_source(text), KeyringOffers(_RING))
    assert (len(result.changed), result.foreign, result.failures, result.total) == (2, 0, (), 2)
    assert _OLD.id not in result.text
    assert result.text.count(_NEW.id) == 2
    before = [line for line in text.splitlines() if "key:" not in line and "wrapped:" not in line]
    assert all(line in result.text.splitlines() for line in before)
    assert reseal_source(_source(result.text), KeyringOffers(_RING)).text == result.text


def test_what_cannot_be_opened_is_left_and_named_and_the_others_are_done() -> None:
    text = _sealed("one", "two").replace("name: one", "name: moved")
    result = reseal_source(_source(text), KeyringOffers(_RING))
    assert [str(sealed) for sealed in result.changed] == ["SealedSecret shop/two"]
    assert [error.obj for error in result.failures] == ["SealedSecret shop/moved"]
    assert result.text.count(_OLD.id) == 1


def test_what_an_anchor_shares_is_left_and_named() -> None:
    sealed = indent(_sealed("one").replace("recipients:", "recipients: &shared"), "  ")
    text = f"items:\n-{sealed[1:]}- kind: ConfigMap\n  data: *shared\n"
    result = reseal_source(_source(text), KeyringOffers(_RING))
    assert result.text == text
    assert result.changed == ()
    (failure,) = result.failures
    assert failure.file == "a.yaml:15"
    assert "anchor" in failure.message


def test_objects_of_other_keys_are_counted_and_left() -> None:
    ring = Keyring.of([_held(_NEW, 1, KeyState.ACTIVE)])
    result = reseal_source(_source(_sealed("one")), KeyringOffers(ring))
    assert (result.foreign, result.changed, result.total) == (1, (), 1)


def test_without_an_active_key_nothing_is_resealed() -> None:
    with pytest.raises(Refused, match="there is no active key"):
        reseal_source(
            _source(_sealed("one")), KeyringOffers(Keyring.of([_held(_OLD, 1, KeyState.RETIRED)]))
        )


def _revoked(ring: Keyring = _RING) -> Keyring:
    record = KeyRecord(ordinal=1, state=KeyState.REVOKED, created_at=_NOW, revoked_at=_NOW)
    return ring.changed(HeldKey(public=_OLD.public, record=record, unwrapper=_OLD))


def test_what_is_under_a_revoked_key_is_left_and_named() -> None:
    text = f"{_sealed('one')}---\n{_sealed('two', keys=(_NEW,))}"
    result = reseal_source(_source(text), KeyringOffers(_revoked()))
    assert (result.text, result.changed, result.failures) == (text, (), ())
    assert result.held == (
        Held(file="a.yaml", line=1, name="shop/one", key=_OLD.id, items=("password",)),
    )


def test_only_the_entries_under_a_revoked_key_are_left() -> None:
    retired = _held(_RECOVERY, 3, KeyState.RETIRED)
    offers = KeyringOffers(_revoked(_RING.changed(retired)))
    (at,) = _source(_sealed("one")).objects()
    more = with_items(at.sealed(), {"pin": b"0000"}, to=[_RECOVERY.public], now=_NOW)
    more = with_items(more, {"code": b"0000"}, to=[_OLD.public], now=_NOW)
    result = reseal_source(_source(json.dumps(more.to_manifest())), offers)
    assert [held.items for held in result.held] == [("code", "password")]
    assert (result.text.count(_OLD.id), result.text.count(_NEW.id)) == (2, 1)


def test_what_there_is_nothing_to_do_for_is_not_named_as_left() -> None:
    offers = KeyringOffers(_revoked(), leaked=frozenset({_RECOVERY.id}))
    (at,) = _source(_sealed("one", keys=(_NEW, _RECOVERY))).objects()
    more = with_items(at.sealed(), {"pin": b"0000"}, to=[_OLD.public], now=_NOW)
    result = reseal_source(_source(json.dumps(more.to_manifest())), offers)
    assert [held.items for held in result.held] == [("pin",)]


def test_what_is_under_a_revoked_key_is_resealed_where_that_is_asked_for() -> None:
    text = _sealed("one")
    asking = text.replace(
        "  namespace: shop\n",
        '  namespace: shop\n  annotations: {sealer.dev/reseal-revoked: "true"}\n',
        1,
    )
    for result in (
        reseal_source(_source(text), KeyringOffers(_revoked()), revoked=True),
        reseal_source(_source(asking), KeyringOffers(_revoked())),
    ):
        assert (len(result.changed), result.held) == (1, ())
        assert _OLD.id not in result.text


def test_keys_besides_are_added_where_they_lack_and_nothing_else_changes() -> None:
    text = _sealed("one", keys=(_NEW,))
    offers = KeyringOffers(_RING, besides=(_RECOVERY.public,))
    result = reseal_source(_source(text), offers)
    assert len(result.changed) == 1
    assert set(text.splitlines()) < set(result.text.splitlines())
    assert reseal_source(_source(result.text), offers).changed == ()
    leaked = replace(offers, leaked=frozenset({_RECOVERY.id}))
    assert leaked.revoked == {_RECOVERY.id}


def _verify(
    text: str, checks: Checks | None = None, name: str = "a.yaml"
) -> list[Checked | Finding]:
    return list(verify_source(_source(text, name), checks or Checks()))


def test_verifying_names_what_is_wrong_and_goes_on() -> None:
    text = _sealed("one", "two").replace("strict", "wide", 1)
    finding, checked = _verify(f"{text}---\n{_OTHER}")
    assert isinstance(finding, Finding)
    assert str(finding).startswith("a.yaml:7: SealedSecret shop/one: key spec.scope: must be")
    assert isinstance(checked, Checked)
    assert (str(checked.sealed), checked.keys) == ("SealedSecret shop/two", ())
    (unknown,) = _verify(_sealed("one").replace("scope: strict", "color: red"))
    assert str(unknown) == "a.yaml:7: SealedSecret shop/one: key spec.color: unknown field"


def test_with_keys_what_does_not_open_is_a_finding() -> None:
    checks = Checks(unwrappers=_RING.unwrappers)
    (checked,) = _verify(_sealed("one"), checks)
    assert isinstance(checked, Checked)
    assert checked.keys == (_OLD.id,)
    (finding,) = _verify(_sealed("one").replace("name: one", "name: moved"), checks)
    assert isinstance(finding, Finding)
    assert finding.obj == "SealedSecret shop/moved"


def test_with_public_keys_a_missing_recipient_is_a_finding() -> None:
    _, finding = _verify(_sealed("one"), Checks(sealing_keys={_OLD.id: "old", _NEW.id: "new"}))
    assert isinstance(finding, Finding)
    assert finding.message == "password not sealed to new"


def _checked(name: str, *keys: UnsealingKey) -> list[Checked]:
    found = _verify(_sealed("one", keys=keys), name=name)
    return [item for item in found if isinstance(item, Checked)]


def test_one_object_twice_is_a_finding_unless_it_is_for_another_cluster() -> None:
    here = _checked("prod/a.yaml", _OLD)
    cases = {
        "prod/b.yaml": (_NEW,),
        "copy/a.yaml": (_OLD,),
        "staging/a.yaml": (_NEW,),
    }
    found = {
        name: [str(item) for item in find_duplicates([*here, *_checked(name, *keys)])]
        for name, keys in cases.items()
    }
    assert found == {
        "prod/b.yaml": [
            "prod/b.yaml:1: SealedSecret shop/one: the same object as in prod/a.yaml:1"
        ],
        "copy/a.yaml": [
            "copy/a.yaml:1: SealedSecret shop/one: the same object as in prod/a.yaml:1"
        ],
        "staging/a.yaml": [],
    }


def test_an_error_without_a_line_is_a_finding_without_one() -> None:
    assert str(finding_of(SealerError("broken", file="dir/a.yaml"))) == "dir/a.yaml: broken"


def test_a_finding_for_programs_names_the_object_as_every_report_does() -> None:
    error = SealerError("broken", file="dir/a.yaml:7", obj="SealedSecret shop/db", key="password")
    assert finding_of(error).to_json() == {
        "file": "dir/a.yaml",
        "line": 7,
        "object": "shop/db",
        "key": "password",
        "message": "broken",
        "hint": "",
    }
    assert finding_of(SealerError("broken", file="a.yaml")).to_json()["object"] == ""
