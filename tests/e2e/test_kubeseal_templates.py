"""Go templates: what ours renders is what Go renders, shown by the real kubeseal."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from sealer import bitnami_sealing
from sealer.crypto.bitnami import Certificate
from sealer.manifests import go_templates, templates
from sealer.manifests.models import Metadata, Secret
from sealer.manifests.writing import dump_json
from tests import rsa_keys
from tests.e2e.kubeseal import Kubeseal
from tests.tools.requirement import require_program

pytestmark = pytest.mark.e2e

ITEMS = {
    "user": b"made-up user",
    "api-key": "made-up é \u2028 \U0001f511 <&> key".encode(),
    "tls.crt": b"made-up\ncertificate\n\n",
    "odd": b" \t\x85made-up\x00\x01\x07\x08\x0b\x0c\x1b\x7f\"'\\`$\r\n",
    "space": "\u2003\xa0\x85\u3000 made-up \x1c\u2029\u200b\u00ad\ufeff\ue000 \u1680".encode(),
    "bytes": b"\xff\xfe made-up \xed\xa0\x80 \xe2\x82 \xc3\xa9\x80",
    "encoded": base64.b64encode(b"made-up \xff encoded"),
    "lines": b"bWFkZS11cCBsaW5lcw\r\n==\n",
    "empty": b"",
    "data": b"made-up data",
    "encoded_text": base64.b64encode(b"made-up text"),
}
SOURCES = [
    *("", "text only\n", "{ {% {# } }} {{- `{{` }}", "{{ .user }}", "{{.user}}", "{{ $.user }}"),
    *('{{ index . "api-key" }}', "{{ index $ `tls.crt` }}", '{{ index . "\\x75ser" | b64enc }}'),
    *("a {{- .user -}} b", "a \n{{- .user }}\n b", "a\n {{ .user -}}\t\n b", "a{{ .user\n -}} b"),
    *("a {{/* comment */}} b", "a {{- /* a\nb ** */ -}} b", "a {{/**/ -}} b {{- .user}}"),
    *("{{ (.user) }}", '{{ ((index . "bytes")) | b64enc }}', "{{(printf `%s` .user)|quote}}"),
    *("{{ print }}", '{{ print .user ":" .empty .bytes }}', "{{ .user | print `a` `b` }}"),
    *('{{ printf "%s:%v %q %%" .user .odd .space }}', "{{ .user | printf `%s-%s` .empty }}"),
    *('{{ printf "é%sü" .bytes | b64enc }}', '{{ printf "none" }}', "{{ `a\r\nb` }}"),
    *('{{ "\\a\\b\\f\\n\\r\\t\\v\\\\\\"\\x00\\xff\\101\\u00e9\\U0001F511" }}', "{{ `\\n` }}"),
    *("{{ .encoded | b64dec }}", "{{ b64dec .lines | quote }}", "{{ .empty | b64dec }}"),
    *("{{ .user | indent 0 }}", "{{ nindent 4 (index . `tls.crt`) }}", "{{ .empty | indent 2 }}"),
    *("{{ .user | toString | squote | quote | toJson | b64enc }}", "{{ .odd | trim | urlquery }}"),
]
FUNCTIONS = ("b64enc", "quote", "squote", "toJson", "toString", "trim", "urlquery", "indent 3")
TRANSLATED = {
    "": "",
    "{ {% {# }}{{ `{{` }} {{- .user }}": '{ {{ "{" }}% {{ "{" }}# }}{{ "{" }}{{ "{" }}{{ user }}',
    "{{ $.user }} {{ .data }}": '{{ user }} {{ data["data"] }}',
    '{{ index . "api-key" }}{{- /* c */ -}} \n': '{{ data["api-key"] }}',
    "{{ .user | b64enc | trim }}": "{{ user | b64encode | trim }}",
    "{{ .encoded_text | b64dec }}": "{{ encoded_text | b64decode }}",
    '{{ index . "tls.crt" | trim }}': '{{ data["tls.crt"] | trim }}',
    '{{ printf "%s:%v%%" .user (print .empty "x") | toString }}': "{{ user }}:{{ empty }}x%",
    "{{ .user | squote }}": "'{{ user }}'",
    "{{ `a b&` | urlquery | indent 2 }}": "  a+b%26",
    "{{ index . `bytes` | b64enc }}": "{{ bytes | b64encode }}",
}
EVERY = [f'{{{{ index . "{name}" | {function} }}}}' for name in ITEMS for function in FUNCTIONS]


@pytest.fixture(scope="module")
def kubeseal(tmp_path_factory: pytest.TempPathFactory) -> Kubeseal:
    return Kubeseal(require_program("kubeseal"), tmp_path_factory.mktemp("kubeseal"))


def _by_kubeseal(kubeseal: Kubeseal, sources: dict[str, str]) -> dict[str, bytes]:
    secret = Secret(metadata=Metadata(namespace="shop", name="db"), data=ITEMS)
    certificate = Certificate.from_pem(rsa_keys.OLD.certificate())
    sealed = bitnami_sealing.seal(secret, to=certificate)
    sealed = replace(sealed, template=replace(sealed.template, data=sources))
    opened = kubeseal.unseal(dump_json(sealed.to_manifest()), rsa_keys.OLD)
    return {key: base64.b64decode(text or "") for key, text in opened["data"].items()}


def test_what_is_understood_is_rendered_as_go_does(kubeseal: Kubeseal) -> None:
    sources = {f"template.{number}": text for number, text in enumerate([*SOURCES, *EVERY])}
    theirs = _by_kubeseal(kubeseal, sources)
    ours = go_templates.render_all(sources, ITEMS)
    assert {sources[key]: theirs[key] for key in sources} == {
        sources[key]: value for key, value in ours.items()
    }


def test_translated_to_ours_a_template_gives_the_same(kubeseal: Kubeseal) -> None:
    sources = {f"template.{number}": text for number, text in enumerate(TRANSLATED)}
    theirs = _by_kubeseal(kubeseal, sources)
    natives = {key: go_templates.parse(text).to_native() for key, text in sources.items()}
    assert list(natives.values()) == list(TRANSLATED.values())
    assert templates.render_all(natives, ITEMS) == {key: theirs[key] for key in sources}
