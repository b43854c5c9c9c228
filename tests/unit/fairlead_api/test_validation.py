"""Messages of validators; recorded from k8s.io/apimachinery v0.36.3 with the same inputs."""

from collections.abc import Callable

import pytest

from fairlead_api import validation as v
from fairlead_api.errors import Invalid
from fairlead_api.field_errors import (
    duplicate,
    forbidden,
    invalid,
    invalid_object,
    listed,
    not_supported,
    quoted,
    required,
    too_long,
)

LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (v.dns1123_label, "a-1"),
        (v.dns1123_subdomain, "a.b-1"),
        (v.dns1035_label, "a1"),
        (v.wildcard_dns1123_subdomain, "*.a.b"),
        (v.qualified_name, "example.com/My_Name.1"),
        (v.label_value, ""),
        (v.path_segment_name, "system:node"),
        (v.config_map_key, "ca.crt"),
        (v.env_var_name, "A_B.c-1"),
        (v.relaxed_env_var_name, "1 a"),
        (v.c_identifier, "_a1"),
        (v.port_name, "http-1"),
        (v.percent, "25%"),
        (v.http_header_name, "X-A"),
    ],
)
def test_a_good_value_has_no_messages(check: Callable[[str], list[str]], good: str) -> None:
    assert check(good) == []


@pytest.mark.parametrize(
    ("check", "bad", "messages"),
    [
        (v.dns1123_label, "A", [LABEL_TEXT]),
        (v.dns1123_label, "a\n", [LABEL_TEXT]),
        (v.dns1123_label, "a.b", ["must not contain dots"]),
        (v.dns1123_label, "a" * 64, ["must be no more than 63 characters"]),
        (v.label_value, "a" * 64, ["must be no more than 63 bytes"]),
        (v.qualified_name, "a" * 254 + "/b", ["prefix part must be no more than 253 bytes"]),
        (v.path_segment_name, "..", ["may not be '..'"]),
        (v.path_segment_name, "a/%", ["may not contain '/'", "may not contain '%'"]),
        (v.config_map_key, "..a", ["must not start with '..'"]),
        (v.port_number, 0, ["must be between 1 and 65535, inclusive"]),
        (
            v.port_name,
            "--",
            [
                "must contain at least one letter (a-z)",
                "must not contain consecutive hyphens",
                "must not begin or end with a hyphen",
            ],
        ),
    ],
)
def test_a_bad_value_has_kubernetes_messages(check: Callable[[str], list[str]], bad: str, messages: list[str]) -> None:
    assert check(bad) == messages


def test_an_empty_name_part_has_two_messages() -> None:
    messages = v.qualified_name("example.com/")
    assert messages[0] == "name part must be non-empty"
    assert messages[1].startswith("name part must consist of alphanumeric characters, '-', '_' or '.'")


def test_causes_read_as_kubernetes_writes_them() -> None:
    assert invalid("spec.x", 'a"\n', "wrong").message == 'Invalid value: "a\\"\\n": wrong'
    assert invalid("spec.x", {"b": 1, "a": [True]}, "wrong").message == 'Invalid value: {"a":[true],"b":1}: wrong'
    assert invalid("spec.x", -1, "").message == "Invalid value: -1"
    assert required("a").message == "Required value"
    assert duplicate("a", "x").message == 'Duplicate value: "x"'
    assert forbidden("a", "no").message == "Forbidden: no"
    assert too_long("a", 1).message == "Too long: may not be more than 1 byte"
    assert not_supported("a", "x", ["A", "B"]).message == 'Unsupported value: "x": supported values: "A", "B"'


def test_quoting_follows_go() -> None:
    assert quoted("é\x00\u200b") == '"é\\x00\\u200b"'


def test_several_causes_are_listed_in_brackets_without_doubles() -> None:
    one, two = required("a"), required("b")
    assert listed([one]) == "a: Required value"
    assert listed([one, two, one]) == "[a: Required value, b: Required value]"


def test_an_invalid_object_names_its_kind_and_group() -> None:
    error = invalid_object("apps", "Deployment", "web", [required("spec.selector")])
    assert isinstance(error, Invalid)
    assert error.message == 'Deployment.apps "web" is invalid: spec.selector: Required value'
    assert error.status()["details"]["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.selector"}
    ]
