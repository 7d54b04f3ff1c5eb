"""What Kubernetes accepts: both sides of every limit, and no value in any error."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import count

import pytest

from sealer.errors import InvalidManifest, Refused, SealerError
from sealer.manifests.models import AccessRule, Metadata, Secret, Template
from sealer.manifests.validation import (
    MAX_ANNOTATION_BYTES,
    MAX_PLAIN_BYTES,
    MAX_SEALED_BYTES,
    RESERVED_METADATA,
    VERBS,
    WHEN_UNSYNCED,
    check_item_key,
    check_name,
    check_namespace,
    check_sealed_size,
    check_secret,
    check_template,
)

CANARY = "canary-not-a-real-value"
RULE = AccessRule(name="all", verbs=("view",), users=("ann@example.com",), teams=("shop",))
SHARED = Template(kind="SharedSecret", display_name="Database", access=(RULE,))


def secret(
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    data: dict[str, bytes] | None = None,
    type_: str = "Opaque",
) -> Secret:
    return Secret(
        metadata=Metadata(
            name="db", namespace="shop", labels=labels or {}, annotations=annotations or {}
        ),
        data={"password": CANARY.encode()} if data is None else data,
        type=type_,
    )


def placed(secret: Secret, *, name: str = "db", namespace: str = "shop") -> Secret:
    return replace(secret, metadata=replace(secret.metadata, name=name, namespace=namespace))


def refusal(what: Secret | Template, *, namespace: str = "shop") -> SealerError:
    def check() -> None:
        if isinstance(what, Secret):
            check_secret(what)
        else:
            check_template(what, namespace=namespace)

    with pytest.raises((InvalidManifest, Refused)) as caught:
        check()
    error: SealerError = caught.value
    assert CANARY not in f"{error} {error.hint} {error!r}"
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    return error


# --- names


@pytest.mark.parametrize("name", ["a", "0", "db", "db-1", "a.b-c.d", "1.2", "a" * 253, "a--b"])
def test_a_name_is_an_rfc_1123_subdomain(name: str) -> None:
    check_name(name)
    check_secret(placed(secret(), name=name))


@pytest.mark.parametrize(
    "name",
    ["", "a" * 254, "DB", "a_b", "-a", "a-", ".a", "a.", "a..b", "a.-b", "a b", "a\n", "ä", "a/b"],
)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        check_name(name)
    assert caught.value.key == "metadata.name"
    assert refusal(placed(secret(), name=name)).key == "metadata.name"


def test_the_field_of_a_name_can_be_another() -> None:
    with pytest.raises(InvalidManifest) as caught:
        check_name("", field="spec.secretName")
    assert caught.value.key == "spec.secretName"


@pytest.mark.parametrize("namespace", ["a", "0", "kube-system", "a" * 63])
def test_a_namespace_is_an_rfc_1123_label(namespace: str) -> None:
    check_namespace(namespace)
    check_secret(placed(secret(), namespace=namespace))


@pytest.mark.parametrize("namespace", ["a" * 64, "a.b", "A", "-a", "a-", "a_b", "a\n", "ä"])
def test_another_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        check_namespace(namespace)
    assert caught.value.key == "metadata.namespace"
    assert refusal(placed(secret(), namespace=namespace)).key == "metadata.namespace"


def test_an_empty_namespace_is_no_namespace_but_passes_in_a_secret() -> None:
    with pytest.raises(InvalidManifest) as caught:
        check_namespace("", field="--namespace")
    assert caught.value.key == "--namespace"
    check_secret(placed(secret(), namespace=""))


@pytest.mark.parametrize("key", ["a", "-", "_", ".a", "a..b", "a.", "A-b_c.9", "k" * 253, ".env"])
def test_an_item_key_may_be_any_file_name_of_these_characters(key: str) -> None:
    check_item_key(key)
    check_secret(secret(data={key: b""}))
    check_template(Template(data={key: ""}), namespace="shop")


@pytest.mark.parametrize(
    "key", ["", "k" * 254, ".", "..", "..a", "...", "a b", "a/b", "a\n", "ä", "a:b", "\x1b[2J"]
)
def test_another_item_key_is_refused_wherever_it_stands(key: str) -> None:
    with pytest.raises(InvalidManifest, match="item key") as caught:
        check_item_key(key)
    assert caught.value.key.isprintable()
    assert len(caught.value.key) <= 61
    assert "item key" in refusal(secret(data={key: CANARY.encode()})).message
    assert "item key" in refusal(Template(data={key: CANARY})).message


# --- labels and annotations

LEGAL_KEYS = ["a", "A", "9", "a.b_c-D", "n" * 63, "example.com/a", "p" * 253 + "/a"]
ILLEGAL_KEYS = [
    "",
    "n" * 64,
    "-a",
    "a-",
    "a b",
    "ä",
    "a\n",
    "/a",
    "a/",
    "a/b/c",
    "a_b/c",
    "p" * 254 + "/a",
    "\x1b[2J",
]


@pytest.mark.parametrize("key", LEGAL_KEYS)
def test_labels_and_annotations_have_qualified_names(key: str) -> None:
    check_secret(secret(labels={key: "v"}, annotations={key: "v"}))
    check_template(Template(labels={key: "v"}, annotations={key: "v"}), namespace="shop")


@pytest.mark.parametrize("key", ILLEGAL_KEYS)
@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_another_label_or_annotation_key_is_refused(where: str, key: str) -> None:
    metadata = {where: {key: "v"}}
    for error in (
        refusal(replace(secret(), metadata=replace(Metadata(name="db"), **metadata))),  # type: ignore[arg-type]
        refusal(replace(Template(), **metadata)),  # type: ignore[arg-type]
    ):
        assert f"metadata.{where}[" in error.key
        assert error.key.isprintable()


def test_case_matters_in_the_prefix_of_labels_only() -> None:
    check_secret(secret(annotations={"Example.com/a": ""}))
    refusal(secret(labels={"Example.com/a": ""}))


@pytest.mark.parametrize("value", ["", "a", "9", "a.b_c-D", "v" * 63])
def test_a_label_may_have_such_values(value: str) -> None:
    check_secret(secret(labels={"a": value}))


@pytest.mark.parametrize(
    "value", ["v" * 64, "-a", "a-", "a b", "ä", "a\n", f"{CANARY}!"], ids=count()
)
def test_a_label_may_not_have_other_values(value: str) -> None:
    assert refusal(secret(labels={"a": value})).key == "metadata.labels[a]"
    assert refusal(Template(labels={"a": value})).key == "spec.template.metadata.labels[a]"


@pytest.mark.parametrize("letter", ["v", "ä"])
def test_annotations_together_are_at_most_256_kib_keys_included(letter: str) -> None:
    room = MAX_ANNOTATION_BYTES - len("a") - len("bc")
    half = room // 2 // len(letter.encode())
    fits = {"a": letter * half, "bc": "v" * (room - half * len(letter.encode()))}
    check_secret(secret(annotations=fits))
    check_template(Template(annotations=fits), namespace="shop")
    over = {**fits, "bc": fits["bc"] + "v"}
    assert refusal(secret(annotations=over)).key == "metadata.annotations"
    assert refusal(Template(annotations=over)).key == "spec.template.metadata.annotations"


def test_half_a_surrogate_pair_is_refused_since_it_cannot_be_written() -> None:
    half = f"{CANARY}\ud800"
    assert refusal(secret(annotations={"a": half})).key == "metadata.annotations[a]"
    assert refusal(Template(data={"a": half})).key == "spec.template.data.a"
    assert refusal(replace(SHARED, display_name=half)).key == "spec.template.displayName"
    assert refusal(replace(SHARED, description=half)).key == "spec.template.description"
    rule = replace(RULE, users=(half,))
    assert refusal(replace(SHARED, access=(rule,))).key == "spec.template.access[0].users[0]"


# --- sizes


def test_the_values_of_a_secret_are_at_most_1_mib_keys_not_counted() -> None:
    assert MAX_PLAIN_BYTES == 1_048_576
    half = b"0" * (MAX_PLAIN_BYTES // 2)
    check_secret(secret(data={"a": half, "b": half, "c": b""}))
    assert refusal(secret(data={"a": half, "b": half, "c": b"0"})).key == "data"


def test_a_secret_may_be_empty() -> None:
    check_secret(secret(data={}))
    check_secret(secret(data={"a": b""}))


def test_a_sealed_manifest_is_at_most_1_4_mib() -> None:
    assert int(1.4 * 1024 * 1024) == MAX_SEALED_BYTES
    check_sealed_size(MAX_SEALED_BYTES)
    with pytest.raises(InvalidManifest, match="etcd") as caught:
        check_sealed_size(MAX_SEALED_BYTES + 1)
    assert "several Secrets" in caught.value.hint


# --- types


@pytest.mark.parametrize("type_", ["", "Opaque", "helm.sh/release.v1", "example.com/" + "t" * 63])
def test_a_type_of_ones_own_is_a_qualified_name(type_: str) -> None:
    check_secret(secret(type_=type_))
    check_template(Template(type=type_), namespace="shop")


@pytest.mark.parametrize(
    "type_", ["a b", "/a", "a/b/c", "t" * 64, "ä", "a\n", f"{CANARY} "], ids=count()
)
def test_another_type_is_refused(type_: str) -> None:
    assert refusal(secret(type_=type_)).key == "type"
    assert refusal(Template(type=type_)).key == "spec.template.type"


def test_service_account_tokens_are_refused_with_the_reason() -> None:
    type_ = "kubernetes.io/service-account-token"
    for error in (refusal(secret(type_=type_)), refusal(Template(type=type_))):
        assert isinstance(error, Refused)
        assert "long-lived credential" in error.message
        assert error.key.endswith("type")


@pytest.mark.parametrize("namespace", ["shop", "", "kube-system2", "kube-public"])
def test_bootstrap_tokens_are_refused_outside_kube_system(namespace: str) -> None:
    type_ = "bootstrap.kubernetes.io/token"
    for error in (
        refusal(placed(secret(type_=type_), namespace=namespace)),
        refusal(Template(type=type_), namespace=namespace),
    ):
        assert isinstance(error, Refused)
        assert "kube-system" in error.message


def test_a_bootstrap_token_may_be_sealed_for_kube_system() -> None:
    check_template(Template(type="bootstrap.kubernetes.io/token"), namespace="kube-system")


# --- templates


@pytest.mark.parametrize("kind", [None, "Secret", "SharedSecret"])
def test_a_template_has_one_of_two_kinds_or_none(kind: str | None) -> None:
    check_template(Template(kind=kind), namespace="shop")


@pytest.mark.parametrize("kind", ["", "secret", "ConfigMap", CANARY], ids=count())
def test_another_kind_is_refused(kind: str) -> None:
    assert refusal(Template(kind=kind)).key == "spec.template.kind"


@pytest.mark.parametrize("name", RESERVED_METADATA)
@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_a_template_may_not_make_its_result_something_that_we_trust(where: str, name: str) -> None:
    for spelling in (name, name.upper()):
        template = replace(Template(), **{where: {spelling: CANARY}})  # type: ignore[arg-type]
        error = refusal(template)
        assert isinstance(error, Refused)
        assert error.key == f"spec.template.metadata.{where}[{spelling}]"


def test_what_no_template_may_set_is_what_marks_keys_clusters_and_sync_targets() -> None:
    assert set(RESERVED_METADATA) == {
        "sealer.dev/unsealing-key",
        "sealer.dev/unsealing-key-backup",
        "sealer.dev/sealing-key",
        "sealer.dev/cluster",
        "sealer.dev/shared-secret",
        "sealer.dev/shared-secret-namespace",
        "sealer.dev/shared-secret-keys",
        "sealedsecrets.bitnami.com/sealed-secrets-key",
    }


@pytest.mark.parametrize(
    "name",
    [
        "sealer.dev/image-pull",
        "sealer.dev/disable-sync",
        "sealer.dev/managed",
        "sealer.dev/patch",
        "sealedsecrets.bitnami.com/managed",
    ],
)
def test_settings_of_the_result_may_stand_in_a_template(name: str) -> None:
    metadata = {name: "true"}
    check_template(replace(SHARED, labels=metadata, annotations=metadata), namespace="shop")


def test_a_shared_secret_may_have_a_description_and_access() -> None:
    check_template(replace(SHARED, description="ä\n\N{GRINNING FACE}"), namespace="shop")


@pytest.mark.parametrize("kind", [None, "Secret"])
@pytest.mark.parametrize(
    ("template", "field"),
    [
        (Template(display_name="d"), "displayName"),
        (Template(description=""), "description"),
        (Template(access=(RULE,)), "access"),
        (Template(when_unsynced="keep"), "whenUnsynced"),
    ],
)
def test_only_a_shared_secret_has_them(kind: str | None, template: Template, field: str) -> None:
    error = refusal(replace(template, kind=kind))
    assert error.key == f"spec.template.{field}"
    assert "SharedSecret" in error.hint


@pytest.mark.parametrize("verb", VERBS)
def test_an_access_rule_grants_known_verbs(verb: str) -> None:
    rule = replace(RULE, verbs=(verb, "view"))
    check_template(replace(SHARED, access=(rule,)), namespace="shop")


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (replace(RULE, verbs=("list",)), "verbs"),
        (replace(RULE, verbs=("view", "View")), "verbs"),
        (replace(RULE, verbs=("",)), "verbs"),
        (replace(RULE, verbs=()), "verbs"),
        (replace(RULE, name=""), "name"),
        (replace(RULE, users=("ann", "")), "users[1]"),
        (replace(RULE, teams=("",)), "teams[0]"),
        (replace(RULE, users=("system:anonymous",)), "users[0]"),
        (replace(RULE, users=("system:serviceaccount:shop:",)), "users[0]"),
        (replace(RULE, users=("system:serviceaccount:shop:a:b",)), "users[0]"),
        (replace(RULE, users=("system:serviceaccount:shop:a..b",)), "users[0]"),
        (replace(RULE, users=("system:serviceaccount:shop:a.-b",)), "users[0]"),
        (replace(RULE, users=(f"system:serviceaccount:{'n' * 64}:a",)), "users[0]"),
        (replace(RULE, teams=("system:serviceaccount:shop:a",)), "teams[0]"),
        (replace(RULE, teams=("shop", "system:authenticated")), "teams[1]"),
        (replace(RULE, teams=("system:",)), "teams[0]"),
    ],
)
def test_another_access_rule_is_refused(rule: AccessRule, field: str) -> None:
    good = replace(RULE, name="good")
    error = refusal(replace(SHARED, access=(good, rule)))
    assert error.key == f"spec.template.access[1].{field}"


def test_names_that_only_resemble_kubernetes_own_may_have_access() -> None:
    rule = replace(RULE, name="system:all", users=("system", "my-system:x"), teams=("systems",))
    check_template(replace(SHARED, access=(rule,)), namespace="shop")


def test_an_access_rule_names_somebody() -> None:
    for rule in (replace(RULE, users=()), replace(RULE, teams=())):
        check_template(replace(SHARED, access=(rule,)), namespace="shop")
    error = refusal(replace(SHARED, access=(replace(RULE, users=(), teams=()),)))
    assert error.key == "spec.template.access[0]"


def test_a_service_account_may_have_access() -> None:
    rule = replace(RULE, users=("system:serviceaccount:shop:deploy.bot",))
    check_template(replace(SHARED, access=(rule,)), namespace="shop")


@pytest.mark.parametrize("choice", WHEN_UNSYNCED)
def test_what_becomes_of_synced_secrets_may_be_chosen(choice: str) -> None:
    check_template(replace(SHARED, when_unsynced=choice), namespace="shop")


def test_nothing_else_becomes_of_synced_secrets() -> None:
    error = refusal(replace(SHARED, when_unsynced="forget"))
    assert error.key == "spec.template.whenUnsynced"


def test_two_access_rules_have_two_names() -> None:
    check_template(replace(SHARED, access=(RULE, replace(RULE, name="b"))), namespace="shop")
    error = refusal(replace(SHARED, access=(RULE, replace(RULE, verbs=("sync",)))))
    assert error.key == "spec.template.access[0].name"


def test_an_error_says_which_secret_it_is_about() -> None:
    assert refusal(secret(labels={"-": ""})).obj == "Secret shop/db"
    assert refusal(secret(type_="kubernetes.io/service-account-token")).obj == "Secret shop/db"


@pytest.mark.parametrize(
    ("field", "fits", "too_much"),
    [
        ("display_name", "x" * 256, "x" * 257),
        ("description", "x" * 4096, "x" * 4097),
        ("labels", {f"l{n}": "" for n in range(1024)}, {f"l{n}": "" for n in range(1025)}),
        ("annotations", {f"a{n}": "" for n in range(4096)}, {f"a{n}": "" for n in range(4097)}),
        (
            "access",
            tuple(replace(RULE, name=f"r{n}") for n in range(64)),
            tuple(replace(RULE, name=f"r{n}") for n in range(65)),
        ),
        (
            "access",
            (replace(RULE, users=tuple(f"u{n}" for n in range(64))),),
            (replace(RULE, users=tuple(f"u{n}" for n in range(65))),),
        ),
    ],
    ids=["display name", "description", "labels", "annotations", "access", "users"],
)
def test_what_the_crd_bounds_is_bounded_on_the_laptop_too(
    field: str, fits: object, too_much: object
) -> None:
    check_template(replace(SHARED, **{field: fits}), namespace="shop")  # type: ignore[arg-type]
    assert "at most" in refusal(replace(SHARED, **{field: too_much})).message  # type: ignore[arg-type]


def test_an_annotation_with_a_copy_of_a_value_is_refused_and_says_what_keeps_it() -> None:
    copy = (
        f'{{"kind":"Secret","data":{{"password":"{base64.b64encode(CANARY.encode()).decode()}"}}}}'
    )
    annotations = {"note": "ask Ada", "kapp.k14s.io/original": copy}
    with pytest.raises(Refused, match="holds the value of item password") as caught:
        check_secret(secret(annotations=annotations))
    assert caught.value.key == "metadata.annotations[kapp.k14s.io/original]"
    assert CANARY not in str(caught.value)


def test_an_annotation_with_a_short_value_may_be_chance() -> None:
    check_secret(secret(annotations={"port": "NTQzMg=="}, data={"port": b"5432"}))
