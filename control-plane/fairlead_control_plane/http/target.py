"""
Which workspace a request target names, decided once and without room for a second reading.

Everything that two parsers could read differently is refused here: encoded separators and dots, empty and dot
segments, backslashes, control characters. So no later step can be talked into another workspace.

Source: kcp ``reClusterName`` and its URL tests.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

from fairlead_api.errors import BadRequest, NotFound

WILDCARD = "*"
CLUSTERS = "/clusters/"

_SEGMENT = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_CLUSTER_PATH = re.compile(rf"(?:{_SEGMENT}|system)(?::{_SEGMENT})*\Z")
_RAW_PATH = re.compile(r"/[!-\"$->@-\[\]-~]*\Z")
"""Printable ASCII without ``#``, ``?`` and backslash."""
_AMBIGUOUS = re.compile(r"%(?:2[ef5]|5c|[01][0-9a-f]|7f)|%(?![0-9a-f]{2})", re.IGNORECASE)
"""Encoded dot, slash, percent sign, backslash or control character; an incomplete escape."""
_DOTS = re.compile(r"/\.\.?(?:/|\Z)")

Query = dict[str, tuple[str, ...]]


class Target(NamedTuple):
    """A raw target taken apart: ``path`` decoded once; ``query`` holds the first value of each key."""

    path: str
    query: dict[str, str]
    query_all: Query


def parse_target(raw: str) -> Target:
    """
    Decode a raw request target.

    Raises:
        BadRequest: Not in origin form, or the path could be read in two ways.
    """
    path, _, query = raw.partition("?")
    if not _RAW_PATH.match(path):
        raise BadRequest("the request target must be a path of printable ASCII characters")
    if "//" in path or ("/." in path and _DOTS.search(path)):
        raise BadRequest("the request path has an empty or a dot segment")
    if "%" in path:
        path = _decode(path)
    if not query:
        return Target(path, {}, {})
    values = _parse_query(query)
    return Target(path, {key: found[0] for key, found in values.items()}, values)


def split_cluster(path: str) -> tuple[str | None, str]:
    """
    Split a decoded path into the workspace it names and the rest.

    Returns:
        (None, path) without a ``/clusters/`` prefix; else the path or name of the workspace (``*`` for all) and what
        follows it, which starts with ``/``.

    Raises:
        BadRequest: What stands after ``/clusters/`` can be neither a name nor a path.
        NotFound: Nothing stands there, or another ``/clusters/`` prefix follows.
    """
    if not path.startswith(CLUSTERS):
        if path == "/clusters":
            raise NotFound("the server could not find the requested resource")
        return None, path
    cluster, slash, rest = path[len(CLUSTERS) :].partition("/")
    if not cluster or rest == "clusters" or rest.startswith("clusters/"):
        raise NotFound("the server could not find the requested resource")
    if cluster != WILDCARD and (len(cluster) > 1024 or not _CLUSTER_PATH.match(cluster)):
        raise BadRequest(f"invalid cluster: {cluster!r} does not match the regex")
    return cluster, slash + rest if slash else "/"


def _decode(path: str) -> str:
    """Decode percent escapes of a path once; the cluster segment may hold none."""
    if _AMBIGUOUS.search(path):
        raise BadRequest("the request path has an ambiguous or malformed escape")
    if path.startswith(CLUSTERS) and "%" in path[len(CLUSTERS) :].partition("/")[0]:
        raise BadRequest("a workspace path is never percent-encoded")
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest("the request path is not UTF-8") from error
    if split_prefix(decoded) != split_prefix(path):
        raise BadRequest("the first segment of a path is never percent-encoded")
    return decoded


def split_prefix(path: str) -> str:
    """Return the first segment, which decides who serves the path."""
    return path[1:].partition("/")[0]


def _parse_query(raw: str) -> Query:
    """Decode ``a=b&c=d``; like Go, refuse ``;`` as a separator and malformed escapes."""
    values: dict[str, list[str]] = {}
    for pair in raw.split("&"):
        if not pair:
            continue
        key, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            try:
                key, value = unquote_plus(key, errors="strict"), unquote_plus(value, errors="strict")
            except UnicodeDecodeError as error:
                raise BadRequest("the query is not UTF-8") from error
        elif not pair.isascii() or ";" in pair:
            raise BadRequest("the query holds characters that must be encoded")
        values.setdefault(key, []).append(value)
    return {key: tuple(found) for key, found in values.items()}
