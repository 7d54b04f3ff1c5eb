"""`.sealer.yaml`: for whom the files of a repository are sealed. Pure: text in, value out.

It names clusters with their pinned public keys, recovery keys, and rules from paths to clusters,
so that sealing inside a repository needs no flags. Strict: an unknown field, a rule for an unknown
cluster, a rule that can never match is an error with its line, and nothing is guessed. Files that
it names are not opened here. schemas/config.schema.json says the same to editors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sealer.commit_message import MessageTemplate
from sealer.crypto.scope import Scope
from sealer.errors import InvalidConfig, InvalidManifest, SealerError, UsageError
from sealer.manifests.fields import Fields
from sealer.manifests.models import API_VERSION
from sealer.manifests.validation import check_namespace
from sealer.path_patterns import PathPattern
from sealer.sources import Found, Source

FILE_NAME = ".sealer.yaml"
KIND = "Config"
CONTROLLER_NAMESPACE = "sealer-system"
"""Where the controller runs unless it is installed elsewhere (DESIGN 7)."""

_NAME = r"(?!\.{1,2}(?:/|$))[^/\\:\x00-\x1f]+"
KEY_FILE = rf"^(?:{_NAME}/)*{_NAME}$"
"""A path below the folder of the configuration, as JSON schemas write it too."""
_KEY_FILE = re.compile(KEY_FILE.removesuffix("$") + r"\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that values are sealed for.

    Attributes:
        name: what rules call it.
        sealing_key: file with its public keys, relative to the folder of the configuration.
        context: name of the kube context; None where the file does not say.
        certificate: file with the certificate of its sealed-secrets keys; None where it has none.
    """

    name: str
    sealing_key: str
    context: str | None = None
    certificate: str | None = None
    controller_namespace: str = CONTROLLER_NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for the files that a pattern names; `line` is where it stands, from 1."""

    pattern: PathPattern
    clusters: tuple[str, ...]
    namespace: str | None = None
    scope: Scope | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """For whom one file is sealed.

    Attributes:
        namespace: for objects that name none; None where the rule does not say.
        scope: for objects that name none; None where the rule does not say.
        rule: the rule that says so; None where there are no rules, since there is one cluster.
    """

    clusters: tuple[Cluster, ...]
    recovery_keys: tuple[str, ...]
    namespace: str | None = None
    scope: Scope | None = None
    rule: Rule | None = None

    @property
    def key_files(self) -> tuple[str, ...]:
        """Files with the keys to seal to, each once: the clusters', then the recovery keys."""
        keys = [cluster.sealing_key for cluster in self.clusters]
        return tuple(dict.fromkeys([*keys, *self.recovery_keys]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration of a repository."""

    clusters: Mapping[str, Cluster]
    recovery_keys: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    message: MessageTemplate = field(default_factory=MessageTemplate)

    @classmethod
    def read(cls, text: str, *, name: str = FILE_NAME) -> Config:
        """Read the text of a configuration; `name` is what errors call the file.

        Raises:
            InvalidConfig: with `FILE:LINE` and the path of the field.
        """
        at = _only_object(name, text)
        try:
            return _read(at)
        except SealerError as error:
            located = at.located(error)
            raise _invalid(located) from None

    def for_path(self, path: str) -> Placement | None:
        """For whom a file is sealed: what the first rule that matches says.

        Args:
            path: relative to the folder of the configuration, with forward slashes.

        Returns:
            None where no rule matches.

        Raises:
            ValueError: the path is not of that form.
        """
        if path.startswith("/") or not {"", ".", ".."}.isdisjoint(path.split("/")):
            raise ValueError("a path relative to the configuration, without . and .. in it")
        if not self.rules:
            return self._place(self.clusters, None)
        rule = next((rule for rule in self.rules if rule.pattern.matches(path)), None)
        return None if rule is None else self._place(rule.clusters, rule)

    def cluster(self, name: str) -> Cluster:
        """A cluster by its name.

        Raises:
            UsageError: there is none of this name.
        """
        if name not in self.clusters:
            raise UsageError(
                f"{FILE_NAME} has no such cluster", hint=f"it has {', '.join(self.clusters)}"
            )
        return self.clusters[name]

    def _place(self, names: Iterable[str], rule: Rule | None) -> Placement:
        return Placement(
            clusters=tuple(self.clusters[name] for name in names),
            recovery_keys=self.recovery_keys,
            namespace=rule.namespace if rule else None,
            scope=rule.scope if rule else None,
            rule=rule,
        )


def _only_object(name: str, text: str) -> Found:
    try:
        source = Source.read(name, text)
    except InvalidManifest as error:
        raise _invalid(error) from None
    present = [(at, found) for at, found in enumerate(source.documents) if found.value is not None]
    if len(present) != 1:
        line = present[1][1].line if present else 1
        raise InvalidConfig(f"expected one document, found {len(present)}", file=f"{name}:{line}")
    index, document = present[0]
    if not isinstance(document.value, Mapping):
        raise InvalidConfig("expected a mapping", file=f"{name}:{document.line}")
    return Found(source, index, (), document.value)


def _invalid(error: SealerError) -> InvalidConfig:
    return InvalidConfig(error.message, hint=error.hint, file=error.file, key=error.key)


def _read(at: Found) -> Config:
    _refuse_nothing(at.value, "")
    fields = Fields(at.value, "")
    found = (fields.text("apiVersion"), fields.text("kind"))
    if found != (API_VERSION, KIND):
        raise InvalidConfig(f"expected apiVersion {API_VERSION} and kind {KIND}", key="kind")
    _read_metadata(fields.mapping("metadata"))
    clusters = _read_clusters(fields)
    recovery_keys = _distinct(fields.text_list("recoveryKeys"), "recoveryKeys")
    for index, path in enumerate(recovery_keys):
        _check_file(path, f"recoveryKeys[{index}]")
    rules = _read_rules(fields, clusters, at)
    message = _read_message(fields.mapping("commit"))
    fields.finish()
    return Config(clusters=clusters, recovery_keys=recovery_keys, rules=rules, message=message)


def _read_metadata(fields: Fields) -> None:
    # Not ours: Flux at the root of a repository takes this file for one of its resources. With a
    # name and the annotation config.kubernetes.io/local-config kustomize leaves it out.
    fields.optional_text("name")
    fields.texts("labels")
    fields.texts("annotations")
    fields.finish()


def _refuse_nothing(value: object, path: str) -> None:
    # Elsewhere null means absent. Here it is a line that somebody has not finished, and taking it
    # for absent would mean another cluster, namespace or scope than the one that is missing.
    if value is None:
        raise InvalidConfig("there is no value", key=path, hint="write one, or remove the field")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _refuse_nothing(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nothing(inner, f"{path}[{index}]")


def _read_clusters(fields: Fields) -> dict[str, Cluster]:
    every = fields.mapping("clusters")
    names = every.names()
    if not names:
        raise InvalidConfig(
            "at least one cluster is required",
            key="clusters",
            hint="`sealer keys fetch --pin` adds the one of your kube context",
        )
    return {name: _read_cluster(name, every.mapping(name)) for name in names}


def _read_cluster(name: str, fields: Fields) -> Cluster:
    check_namespace(name, field=fields.path)  # the same alphabet
    namespace = fields.optional_text("controllerNamespace")
    cluster = Cluster(
        name=name,
        sealing_key=fields.text("sealingKey"),
        context=fields.optional_text("context"),
        certificate=fields.optional_text("certificate"),
        controller_namespace=CONTROLLER_NAMESPACE if namespace is None else namespace,
    )
    fields.finish()
    _check_file(cluster.sealing_key, f"{fields.path}.sealingKey")
    if cluster.certificate is not None:
        _check_file(cluster.certificate, f"{fields.path}.certificate")
    check_namespace(cluster.controller_namespace, field=f"{fields.path}.controllerNamespace")
    if cluster.context == "":
        raise InvalidConfig("must not be empty", key=f"{fields.path}.context")
    return cluster


def _read_rules(fields: Fields, clusters: Mapping[str, Cluster], at: Found) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for index, entry in enumerate(fields.entries("rules")):
        rule = _read_rule(entry, clusters, line=at.line("rules", index))
        before = next(
            (r for r in rules if r.pattern.covers_all() or r.pattern == rule.pattern), None
        )
        if before is not None:
            raise InvalidConfig(
                f"never matches, since the rule in line {before.line} comes first",
                key=f"{entry.path}.path",
                hint="the first rule that matches is the one that counts: special ones go first",
            )
        rules.append(rule)
    if not rules and len(clusters) > 1:
        raise InvalidConfig(
            "with several clusters, rules must say what is sealed for which",
            key="clusters",
            hint="rules: [{path: '**', clusters: [...]}] seals everything for all that it names",
        )
    return tuple(rules)


def _read_rule(fields: Fields, clusters: Mapping[str, Cluster], *, line: int) -> Rule:
    path = fields.path
    try:
        pattern = PathPattern.read(fields.text("path"))
    except InvalidConfig as error:
        raise error.at(key=f"{path}.path") from None
    names = _distinct(fields.text_list("clusters"), f"{path}.clusters")
    namespace, scope = fields.optional_text("namespace"), fields.optional_text("scope")
    fields.finish()
    if not names:
        raise InvalidConfig("at least one cluster is required", key=f"{path}.clusters")
    for index, name in enumerate(names):
        if name not in clusters:
            raise InvalidConfig("no such cluster", key=f"{path}.clusters[{index}]")
    if namespace is not None:
        check_namespace(namespace, field=f"{path}.namespace")
    if scope is not None and scope not in list(Scope):
        raise InvalidConfig(f"must be one of {', '.join(Scope)}", key=f"{path}.scope")
    return Rule(
        pattern=pattern,
        clusters=names,
        namespace=namespace,
        scope=None if scope is None else Scope(scope),
        line=line,
    )


def _read_message(fields: Fields) -> MessageTemplate:
    text = fields.optional_text("message")
    fields.finish()
    try:
        return MessageTemplate() if text is None else MessageTemplate.read(text)
    except InvalidConfig as error:
        raise error.at(key="commit.message") from None


def _distinct(texts: tuple[str, ...], path: str) -> tuple[str, ...]:
    for index, text in enumerate(texts):
        if text in texts[:index]:
            raise InvalidConfig("stands here twice", key=f"{path}[{index}]")
    return texts


def _check_file(path: str, key: str) -> None:
    if not _KEY_FILE.match(path):
        raise InvalidConfig(
            "not a path below the folder of this file",
            key=key,
            hint="such as .sealer/prod.pem: relative, with forward slashes, without . and .. in it",
        )
