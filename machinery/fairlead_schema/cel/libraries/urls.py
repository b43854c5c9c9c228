"""
URLs: ``url('https://example.com:80/path').getHost()`` and the like.

Source: k8s.io/apiserver/pkg/cel/library/urls.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Function, Library, Overload
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.libraries.go_urls import BadURL, ParsedURL, check_request, parse_url
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import EvaluationError, LibraryValue, Value

URL_TYPE = Type("kubernetes.URL")


@dataclass(frozen=True, slots=True)
class URL(LibraryValue):
    """A URL; equal when Go writes it alike."""

    cel_type: ClassVar[Type] = URL_TYPE

    parsed: ParsedURL

    def equals(self, other: Value) -> bool:
        """Compare the texts."""
        if not isinstance(other, URL):
            raise EvaluationError("no such overload")
        return self.parsed.text == other.parsed.text

    def __str__(self) -> str:
        """Write it as Go does."""
        return self.parsed.text


def _to_url(text: str) -> URL:
    try:
        check_request(text)
        return URL(parse_url(text))
    except BadURL as error:
        raise EvaluationError(f"URL parse error during conversion from string: {error}") from error


def _is_url(text: str) -> bool:
    try:
        check_request(text)
    except BadURL:
        return False
    return True


_NOMINAL = CallEstimate(costs.ONE)


def _part(name: str, key: str, call: Callable[[ParsedURL], Value], result: Type = t.STRING) -> Function:
    overload = Overload(key, (URL_TYPE,), result, lambda url: call(url.parsed), True, lambda _: _NOMINAL)
    return Function(name, (overload,))


URLS = Library(
    "kubernetes.urls",
    (
        Function(
            "url",
            (
                Overload(
                    "string_to_url", (t.STRING,), URL_TYPE, _to_url, False,
                    costs.estimate_read(keeps_size=True), costs.read(),
                ),
            ),
        ),
        _part("getScheme", "url_get_scheme", lambda url: url.scheme),
        _part("getHost", "url_get_host", lambda url: url.host),
        _part("getHostname", "url_get_hostname", lambda url: url.hostname),
        _part("getPort", "url_get_port", lambda url: url.port),
        _part("getEscapedPath", "url_get_escaped_path", lambda url: url.path),
        _part("getQuery", "url_get_query", ParsedURL.parameters, t.map_of(t.STRING, t.list_of(t.STRING))),
        Function("isURL", (Overload("is_url_string", (t.STRING,), t.BOOL, _is_url),)),
    ),
)  # fmt: skip
