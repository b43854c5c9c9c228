"""
Kubernetes' rules for names, labels and the like, with its messages.

Every function returns the list of messages, empty when the value is fine. Lengths are counted in bytes, as in Go.

Source: k8s.io/apimachinery/pkg/util/validation and pkg/api/validate/content v0.36.3. The two packages word the
length rule differently (characters, bytes); object names use the first, label keys and values the second.
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_LABEL_UNDERSCORE = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_UNDERSCORE = _LABEL_UNDERSCORE + r"(\." + _LABEL_UNDERSCORE + ")*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_ENV_NAME = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_PERCENT = "[0-9]+%"
_HTTP_HEADER = "[-A-Za-z0-9]+"
_WILDCARD_SUBDOMAIN = r"\*\." + _SUBDOMAIN

_LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_LABEL_1035_MESSAGE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_KEY_MESSAGE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_VALUE_MESSAGE = f"a valid label must be an empty string or {_KEY_MESSAGE.removeprefix('must ')}"
_WILDCARD_MESSAGE = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
    "which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
)

_PATTERNS = {
    text: re.compile(text)
    for text in (
        _LABEL, _SUBDOMAIN, _LABEL_1035, _KEY, _VALUE, _CONFIG_KEY, _ENV_NAME, _C_IDENTIFIER, _PERCENT,
        _HTTP_HEADER, _WILDCARD_SUBDOMAIN, _SUBDOMAIN_UNDERSCORE,
    )
}  # fmt: skip


def regex_message(message: str, pattern: str, *examples: str) -> str:
    """Word a mismatch as Kubernetes does."""
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def _matches(pattern: str, value: str) -> bool:
    return _PATTERNS[pattern].fullmatch(value) is not None


def _too_long(value: str, limit: int, unit: str) -> list[str]:
    # Most values are short: bytes are counted only where characters do not decide.
    if len(value) * 4 <= limit or len(value.encode("utf-8", "surrogatepass")) <= limit:
        return []
    return [f"must be no more than {limit} {unit}"]


def dns1123_label(value: str) -> list[str]:
    """Check a DNS label of at most 63 characters: names of namespaces, volumes, containers."""
    messages = _too_long(value, 63, "characters")
    if _matches(_LABEL, value):
        return messages
    if _matches(_SUBDOMAIN, value):
        return [*messages, "must not contain dots"]
    return [*messages, regex_message(_LABEL_MESSAGE, _LABEL, "my-name", "123-abc")]


def dns1123_subdomain(value: str, *, unit: str = "characters") -> list[str]:
    """Check dotted DNS labels of at most 253 characters: names of most objects."""
    messages = _too_long(value, 253, unit)
    if not _matches(_SUBDOMAIN, value):
        messages.append(regex_message(_SUBDOMAIN_MESSAGE, _SUBDOMAIN, "example.com"))
    return messages


def dns1123_subdomain_with_underscore(value: str) -> list[str]:
    """Check dotted DNS labels in which there may be underscores: search domains of pods."""
    messages = _too_long(value, 253, "characters")
    if not _matches(_SUBDOMAIN_UNDERSCORE, value):
        message = _SUBDOMAIN_MESSAGE.replace("'-' or '.'", "'_', '-' or '.'")
        messages.append(regex_message(message, _SUBDOMAIN_UNDERSCORE, "example.com"))
    return messages


def dns1035_label(value: str) -> list[str]:
    """Check a DNS label that starts with a letter: names of Services."""
    messages = _too_long(value, 63, "characters")
    if not _matches(_LABEL_1035, value):
        messages.append(regex_message(_LABEL_1035_MESSAGE, _LABEL_1035, "my-name", "abc-123"))
    return messages


def wildcard_dns1123_subdomain(value: str) -> list[str]:
    """Check ``*.`` and a subdomain: host of an Ingress."""
    messages = _too_long(value, 253, "characters")
    if not _matches(_WILDCARD_SUBDOMAIN, value):
        messages.append(regex_message(_WILDCARD_MESSAGE, _WILDCARD_SUBDOMAIN, "*.example.com"))
    return messages


def qualified_name(value: str) -> list[str]:
    """Check ``[subdomain/]name``: label keys, annotation keys (lower-cased by the caller), finalizers, resources."""
    prefix, slash, name = value.partition("/")
    messages: list[str] = []
    if not slash:
        name = prefix
    elif "/" in name:
        message = regex_message(_KEY_MESSAGE, _KEY, "MyName", "my.name", "123-abc")
        return [
            f"a valid label key {message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    elif not prefix:
        messages.append("prefix part must be non-empty")
    else:
        messages += [f"prefix part {message}" for message in dns1123_subdomain(prefix, unit="bytes")]
    if not name:
        messages.append("name part must be non-empty")
    else:
        messages += [f"name part {message}" for message in _too_long(name, 63, "bytes")]
    if not _matches(_KEY, name):
        messages.append("name part " + regex_message(_KEY_MESSAGE, _KEY, "MyName", "my.name", "123-abc"))
    return messages


label_key = qualified_name


def label_value(value: str) -> list[str]:
    """Check a label's value: empty, or at most 63 characters of a label key's name."""
    messages = _too_long(value, 63, "bytes")
    if not _matches(_VALUE, value):
        messages.append(regex_message(_VALUE_MESSAGE, _VALUE, "MyValue", "my_value", "12345"))
    return messages


def namespace_name(value: str) -> list[str]:
    """Check the name of a Namespace."""
    return dns1123_label(value)


def path_segment_name(value: str) -> list[str]:
    """Check a name that only has to fit into a URL: RBAC objects, and kinds that allow it."""
    if value in {".", ".."}:
        return [f"may not be '{value}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in value]


def config_map_key(value: str) -> list[str]:
    """Check a key of a ConfigMap or Secret."""
    messages = _too_long(value, 253, "characters")
    if not _matches(_CONFIG_KEY, value):
        message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        messages.append(regex_message(message, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return messages + _parent_folder(value)


def _parent_folder(value: str) -> list[str]:
    if value in {".", ".."}:
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def env_var_name(value: str) -> list[str]:
    """Check the name of an environment variable by the strict rule."""
    messages = []
    if not _matches(_ENV_NAME, value):
        message = (
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
            "and must not start with a digit"
        )
        messages.append(regex_message(message, _ENV_NAME, "my.env-name", "MY_ENV.NAME", "MyEnvName1"))
    return messages + _parent_folder(value)


def relaxed_env_var_name(value: str) -> list[str]:
    """Check the name of an environment variable by the rule of Kubernetes 1.34 on."""
    messages = [] if value else ["environment variable name must be non-empty"]
    if any(not " " <= character <= "~" or character == "=" for character in value):
        messages.append(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
        )
    return messages


def c_identifier(value: str) -> list[str]:
    """Check a C identifier."""
    if _matches(_C_IDENTIFIER, value):
        return []
    message = (
        "a valid C identifier must start with alphabetic character or '_', "
        "followed by a string of alphanumeric characters or '_'"
    )
    return [regex_message(message, _C_IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def port_number(port: int) -> list[str]:
    """Check a port, 1 to 65535."""
    return in_range(port, 1, 65535)


def in_range(value: int, low: int, high: int) -> list[str]:
    """Check ``low <= value <= high``."""
    return [] if low <= value <= high else [f"must be between {low} and {high}, inclusive"]


def port_name(value: str) -> list[str]:
    """Check the name of a port (IANA service name)."""
    messages = _too_long(value, 15, "characters")
    if not re.fullmatch("[-a-z0-9]+", value):
        messages.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        messages.append("must contain at least one letter (a-z)")
    if "--" in value:
        messages.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        messages.append("must not begin or end with a hyphen")
    return messages


def percent(value: str) -> list[str]:
    """Check a percentage such as ``25%``."""
    if _matches(_PERCENT, value):
        return []
    message = "a valid percent string must be a numeric string followed by an ending '%'"
    return [regex_message(message, _PERCENT, "1%", "93%")]


def http_header_name(value: str) -> list[str]:
    """Check the name of an HTTP header."""
    if _matches(_HTTP_HEADER, value):
        return []
    message = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [regex_message(message, _HTTP_HEADER, "X-Header-Name")]
