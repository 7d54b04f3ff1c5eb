"""What Kubernetes accepts, checked before it is asked: names, metadata, sizes, whole objects.

A Secret that the API server would refuse is refused on the laptop, where the person who can mend
it sits. The rules for names, labels and annotations are those of k8s.io/apimachinery; rules of our
own say why they exist. Nothing is mended or normalised here, and no value is ever shown.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sized
from types import MappingProxyType

from sealer.errors import InvalidManifest, Refused, SealerError
from sealer.manifests import secret_types
from sealer.manifests.models import AccessRule, Secret, Template

MAX_NAME = 253
"""Characters of an RFC 1123 subdomain and of an item key (apimachinery, util/validation)."""
MAX_LABEL = 63
"""Characters of an RFC 1123 label, a qualified name without prefix, and a label's value (same)."""
MAX_PLAIN_BYTES = 1024 * 1024
"""Sum of a Secret's value lengths: MaxSecretSize of k8s.io/api/core/v1; keys are not counted."""
MAX_ANNOTATION_BYTES = 256 * 1024
"""Sum of all annotation keys and values: TotalAnnotationSizeLimitB of apimachinery."""
MAX_LABELS = 1024
MAX_ANNOTATIONS = 4096
MAX_DISPLAY_NAME = 256
MAX_DESCRIPTION = 4096
MAX_ACCESS_RULES = 64
MAX_READERS = 64
"""The bounds of schemas/crds, in entries and characters; Kubernetes itself has none for these. For
access: what the API server's budget for CEL allows to be checked, and what fits into a status."""
MAX_SEALED_BYTES = 1_468_006
"""1.4 MiB of compact JSON: etcd refuses values over 1.5 MiB (its --max-request-bytes), and the API
server adds managedFields and status to what it is sent."""

KINDS = ("Secret", "SharedSecret")
"""What a SealedSecret may become."""
VERBS = ("view", "update", "sync", "delete", "*")
"""What an access rule may grant; `*` is all of them."""
WHEN_UNSYNCED = ("keep", "delete")
"""What may become of a synced Secret that no longer asks for it, or whose SharedSecret is gone."""
SYSTEM_PREFIX = "system:"
"""Kubernetes keeps it for its own users and groups; `system:authenticated` would be everybody."""
_SERVICE_ACCOUNT = re.compile(
    r"system:serviceaccount:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
    r":[a-z0-9]((-*|[.])[a-z0-9])*"
)

_KEY = "the controller would take it for one of its key Secrets"
_SYNC = "it marks the target of a sync, and sync and sealing would overwrite each other"
RESERVED_METADATA: Mapping[str, str] = MappingProxyType(
    {
        "sealer.dev/unsealing-key": _KEY,
        "sealer.dev/unsealing-key-backup": "the controller would take it for the copy of a key",
        "sealer.dev/sealing-key": _KEY,
        "sealedsecrets.bitnami.com/sealed-secrets-key": _KEY,
        "sealer.dev/cluster": "it would register a cluster",
        "sealer.dev/shared-secret": _SYNC,
        "sealer.dev/shared-secret-namespace": _SYNC,
        "sealer.dev/shared-secret-keys": _SYNC,
    }
)
"""Labels and annotations that no template may set, and why: whoever may write to Git could
otherwise make the controller trust a Secret of theirs. All others under sealer.dev/ (such as
image-pull, disable-sync, managed, patch) are settings of the result and may be set."""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(\.{_DNS_LABEL.pattern})*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_ITEM_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_SHOWN = 60
_TELLING_BYTES = 6
"""A shorter value may stand in an annotation by chance."""


def check_name(name: str, *, field: str = "metadata.name") -> None:
    """Check the name of an object: an RFC 1123 subdomain of at most 253 characters.

    Raises:
        InvalidManifest: it is not.
    """
    if len(name) > MAX_NAME or not _DNS_SUBDOMAIN.fullmatch(name):
        raise InvalidManifest(
            f"must be 1 to {MAX_NAME} characters of a-z, 0-9, '-' and '.', "
            "with a letter or digit at both ends and on both sides of each '.'",
            key=field,
        )


def check_namespace(namespace: str, *, field: str = "metadata.namespace") -> None:
    """Check the name of a namespace: an RFC 1123 label of at most 63 characters.

    Raises:
        InvalidManifest: it is not.
    """
    if len(namespace) > MAX_LABEL or not _DNS_LABEL.fullmatch(namespace):
        raise InvalidManifest(
            f"must be 1 to {MAX_LABEL} characters of a-z, 0-9 and '-', "
            "with a letter or digit at both ends",
            key=field,
        )


def is_item_key(key: str) -> bool:
    """Whether an item may have this key; see `check_item_key`, which says more."""
    known = len(key) <= MAX_NAME and _ITEM_KEY.fullmatch(key) is not None
    return known and key != "." and not key.startswith("..")


def check_item_key(key: str) -> None:
    """Check an item key: it becomes a file name in every pod that mounts the Secret.

    Raises:
        InvalidManifest: it is not 1 to 253 characters of `[-._a-zA-Z0-9]`, or it is `.` or begins
            with `..`.
    """
    if len(key) > MAX_NAME or not _ITEM_KEY.fullmatch(key):
        raise InvalidManifest(
            f"an item key is 1 to {MAX_NAME} characters of a-z, A-Z, 0-9, '-', '_' and '.'",
            key=_shown(key),
        )
    if key == "." or key.startswith(".."):
        raise InvalidManifest("an item key is not '.' and does not begin with '..'", key=key)


def check_secret(secret: Secret) -> None:
    """Check everything about a Secret before it is sealed or created.

    An empty namespace passes; whether there must be one depends on the scope.

    Raises:
        InvalidManifest: Kubernetes, or what reads this type of Secret, would not accept it.
        Refused: a type that must not be sealed.
    """
    try:
        _check_secret(secret)
    except SealerError as error:
        raise error.at(obj=str(secret)) from None


def check_opened(secret: Secret) -> None:
    """Check a Secret that was just opened, by what is no part of a value.

    Whoever may write to Git chooses type and templates. A check of what a value *is* would answer
    in the status questions about values that the asker may not read.

    Raises:
        InvalidManifest: Kubernetes would not accept it.
        Refused: a type that must not be sealed.
    """
    try:
        _check_frame(secret)
        secret_types.check_type_keys(secret)
    except SealerError as error:
        raise error.at(obj=str(secret)) from None


def check_template(template: Template, *, namespace: str) -> None:
    """Check what a SealedSecret in `namespace` is to become.

    Raises:
        InvalidManifest: a field is not legal, or not for this kind.
        Refused: a type, label or annotation that no SealedSecret may have.
    """
    path = "spec.template"
    if template.kind is not None and template.kind not in KINDS:
        raise InvalidManifest(f"must be one of {', '.join(KINDS)}", key=f"{path}.kind")
    if template.type is not None:
        _check_type(template.type, namespace=namespace, path=f"{path}.type")
    for where, metadata in (("labels", template.labels), ("annotations", template.annotations)):
        _check_reserved(metadata, f"{path}.metadata.{where}")
    _check_length(template.labels, MAX_LABELS, f"{path}.metadata.labels", "labels")
    _check_length(template.annotations, MAX_ANNOTATIONS, f"{path}.metadata.annotations", "of them")
    _check_labels(template.labels, f"{path}.metadata.labels")
    _check_annotations(template.annotations, f"{path}.metadata.annotations")
    for item_key, text in template.data.items():
        check_item_key(item_key)
        _size(text, f"{path}.data.{item_key}")
    _check_shared(template, path)


def check_sealed_size(size: int) -> None:
    """Check the size of a sealed manifest: bytes of its compact JSON.

    Raises:
        InvalidManifest: more than 1.4 MiB, which no API server stores.
    """
    if size > MAX_SEALED_BYTES:
        raise InvalidManifest(
            f"sealed, this is {size} bytes, and at most {MAX_SEALED_BYTES} fit: etcd refuses "
            "values over 1.5 MiB",
            hint="spread the items over several Secrets",
        )


def _check_copies(secret: Secret) -> None:
    """Tools keep copies of whole objects in annotations, which would stand in Git in clear."""
    encoded = {
        base64.b64encode(value).decode(): key
        for key, value in secret.data.items()
        if len(value) >= _TELLING_BYTES
    }
    for name, text in secret.metadata.annotations.items():
        for value, key in encoded.items():
            if value in text:
                raise Refused(
                    f"this annotation holds the value of item {key}, and is not sealed",
                    key=f"metadata.annotations[{name}]",
                    hint="remove it: whatever put it there keeps a copy of the Secret in it",
                )


def _check_secret(secret: Secret) -> None:
    _check_copies(secret)
    _check_frame(secret)
    secret_types.check_type_items(secret)


def _check_frame(secret: Secret) -> None:
    metadata = secret.metadata
    check_name(metadata.name)
    if metadata.namespace:
        check_namespace(metadata.namespace)
    _check_labels(metadata.labels, "metadata.labels")
    _check_annotations(metadata.annotations, "metadata.annotations")
    for item_key in secret.data:
        check_item_key(item_key)
    total = sum(len(value) for value in secret.data.values())
    if total > MAX_PLAIN_BYTES:
        raise InvalidManifest(
            f"the values are {total} bytes together, and at most {MAX_PLAIN_BYTES} fit in a Secret",
            key="data",
            hint="spread the items over several Secrets",
        )
    _check_type(secret.type, namespace=metadata.namespace, path="type")


def _check_type(type_: str, *, namespace: str, path: str) -> None:
    # The API server takes any text and reads an empty one as Opaque. The convention of its
    # documentation is a rule here, since types are shown in reports and compared by controllers.
    if type_ and not _is_qualified(type_):
        raise InvalidManifest(
            "must be a qualified name such as Opaque or example.com/licence", key=path
        )
    secret_types.check_type_allowed(type_, namespace=namespace, path=path)


def _check_reserved(metadata: Mapping[str, str], path: str) -> None:
    for name in metadata:
        if reason := RESERVED_METADATA.get(name.lower()):
            raise Refused(
                f"a sealed secret may not set this: {reason}",
                key=f"{path}[{name}]",
                hint="remove it",
            )


def _check_labels(labels: Mapping[str, str], path: str) -> None:
    for name, value in labels.items():
        at = f"{path}[{_shown(name)}]"
        if not _is_qualified(name):
            raise InvalidManifest("this is not a legal label key", key=at)
        if value and (len(value) > MAX_LABEL or not _QUALIFIED.fullmatch(value)):
            raise InvalidManifest(
                f"a label's value is at most {MAX_LABEL} characters of a-z, A-Z, 0-9, '-', '_' "
                "and '.', with a letter or digit at both ends",
                key=at,
            )


def _check_annotations(annotations: Mapping[str, str], path: str) -> None:
    total = 0
    for name, value in annotations.items():
        at = f"{path}[{_shown(name)}]"
        # apimachinery lets case pass in the prefix of annotations, though not of labels.
        if not _is_qualified(name.lower()):
            raise InvalidManifest("this is not a legal annotation key", key=at)
        total += len(name) + _size(value, at)
    if total > MAX_ANNOTATION_BYTES:
        raise InvalidManifest(
            f"keys and values are {total} bytes together, and at most {MAX_ANNOTATION_BYTES} fit",
            key=path,
        )


def _check_shared(template: Template, path: str) -> None:
    texts = {"displayName": template.display_name, "description": template.description}
    present = [name for name, text in texts.items() if text is not None]
    present += ["whenUnsynced"] if template.when_unsynced is not None else []
    present += ["access"] if template.access else []
    if present and template.kind != "SharedSecret":
        raise InvalidManifest(
            "only a SharedSecret has this field",
            key=f"{path}.{present[0]}",
            hint="set spec.template.kind to SharedSecret before sealing, or remove the field",
        )
    for (name, text), most in zip(texts.items(), (MAX_DISPLAY_NAME, MAX_DESCRIPTION), strict=True):
        _size(text or "", f"{path}.{name}")
        _check_length(text or "", most, f"{path}.{name}", "characters")
    if template.when_unsynced not in (None, *WHEN_UNSYNCED):
        raise InvalidManifest(
            f"must be one of {', '.join(WHEN_UNSYNCED)}", key=f"{path}.whenUnsynced"
        )
    check_access(template.access, field=f"{path}.access")


def check_access(rules: tuple[AccessRule, ...], *, field: str) -> None:
    """Check an access list as schemas/crds does.

    Args:
        rules: the list.
        field: where it stands, for messages.

    Raises:
        InvalidManifest: it grants something unknown, to nobody or to names of Kubernetes' own, or
            is longer than fits.
    """
    _check_length(rules, MAX_ACCESS_RULES, field, "rules")
    uses = Counter(rule.name for rule in rules)
    for index, rule in enumerate(rules):
        at = f"{field}[{index}]"
        _check_length(rule.users, MAX_READERS, f"{at}.users", "users")
        _check_length(rule.teams, MAX_READERS, f"{at}.teams", "teams")
        for where, text in _rule_texts(rule):
            if not text:
                raise InvalidManifest("must not be empty", key=f"{at}.{where}")
            _size(text, f"{at}.{where}")
            _check_not_of_the_system(where, text, f"{at}.{where}")
        if not rule.users and not rule.teams:
            raise InvalidManifest("names nobody: users or teams are needed", key=at)
        if uses[rule.name] > 1:
            raise InvalidManifest("two rules have this name", key=f"{at}.name")
        if not rule.verbs or not set(rule.verbs) <= set(VERBS):
            raise InvalidManifest(f"must be one or more of {', '.join(VERBS)}", key=f"{at}.verbs")


def _check_not_of_the_system(where: str, text: str, path: str) -> None:
    if where == "name" or not text.startswith(SYSTEM_PREFIX):
        return
    if where.startswith("users") and _SERVICE_ACCOUNT.fullmatch(text):
        return
    raise InvalidManifest(
        f"names that begin with {SYSTEM_PREFIX} are Kubernetes' own",
        key=path,
        hint="name people and teams as your identity provider does; of the others only users of "
        "the form system:serviceaccount:NAMESPACE:NAME",
    )


def _check_length(value: Sized, most: int, path: str, what: str) -> None:
    if len(value) > most:
        raise InvalidManifest(f"has {len(value)} {what}, and at most {most} fit", key=path)


def _rule_texts(rule: AccessRule) -> Iterator[tuple[str, str]]:
    yield "name", rule.name
    for where, texts in (("users", rule.users), ("teams", rule.teams)):
        for index, text in enumerate(texts):
            yield f"{where}[{index}]", text


def _is_qualified(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    if slash and (len(prefix) > MAX_NAME or not _DNS_SUBDOMAIN.fullmatch(prefix)):
        return False
    return len(name) <= MAX_LABEL and bool(_QUALIFIED.fullmatch(name))


def _size(text: str, path: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:  # half of a surrogate pair, from an escape such as "\ud800"
        raise InvalidManifest("this is not valid Unicode", key=path) from None


def _shown(text: str) -> str:
    # An illegal key can be anything, also something that moves a terminal's cursor.
    safe = ascii(text)[1:-1]
    return safe if len(safe) <= _SHOWN else f"{safe[:_SHOWN]}…"
