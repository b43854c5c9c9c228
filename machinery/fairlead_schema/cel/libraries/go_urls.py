"""
URLs as Go reads them, with its complaints.

Percent signs stand for bytes, so texts are kept as UTF-8 while they are taken apart.

Source: Go net/url (RFC 3986).
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass

from fairlead_api.field_errors import quoted
from fairlead_schema.cel.libraries.addresses import BadAddress, parse_address

_ALWAYS = frozenset((string.ascii_letters + string.digits + "-_.~").encode())
_IN_PATH = _ALWAYS | set(b"$&+,/:;=@")
_IN_PATH_AS_WRITTEN = _IN_PATH | set(b"!$&'()*+,;=:@[]%")
_IN_HOST = _ALWAYS | set(b"!$&'()*+,;=:[]<>\"")
_IN_USER = _ALWAYS | set(b"$&+,;=")
_IN_FRAGMENT = _ALWAYS | set(b"$&+,/:;=?@!()*")
_IN_FRAGMENT_AS_WRITTEN = _IN_FRAGMENT | set(b"!$&'()*+,;=:@[]%")
_USER = re.compile(rb"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")
_PORT = re.compile(rb"(:[0-9]*)?")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_MOST_PARAMETERS = 10_000
_ASCII, _PERCENT = 0x80, ord("%")


class BadURL(ValueError):
    """A text is no URL; the text is Go's."""


@dataclass(frozen=True, slots=True)
class ParsedURL:
    """
    A URL taken apart.

    Attributes:
        host: With port and brackets, without user.
        path: Escaped as written where that is proper.
        query: As written, after the question mark.
        text: The whole as Go writes it.
    """

    scheme: str = ""
    host: str = ""
    path: str = ""
    query: str = ""
    text: str = ""

    @property
    def hostname(self) -> str:
        """Host without port and brackets."""
        host = _split_port(self.host)[0]
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @property
    def port(self) -> str:
        """Digits after the host's colon; "" for none."""
        return _split_port(self.host)[1]

    def parameters(self) -> dict[str, list[str]]:
        """Return the query's values by key; what cannot be read is left out."""
        found: dict[str, list[str]] = {}
        pairs = self.query.encode("utf-8", "surrogatepass").split(b"&")
        if len(pairs) > _MOST_PARAMETERS:
            return found
        for pair in pairs:
            key, _, value = pair.partition(b"=")
            if not pair or b";" in pair:
                continue
            try:
                read = _unescaped(key.replace(b"+", b" ")), _unescaped(value.replace(b"+", b" "))
            except BadURL:
                continue
            found.setdefault(_text(read[0]), []).append(_text(read[1]))
        return found


def check_request(text: str) -> None:
    """
    Refuse what is not an absolute URL or path, as schemas' format ``uri`` does; a fragment is not told apart.

    Raises:
        BadURL: It is none.
    """
    _told(text, lambda: _parsed(text.encode("utf-8", "surrogatepass"), request=True, fragment=b""))


def parse_url(text: str) -> ParsedURL:
    """
    Take a URL apart.

    Raises:
        BadURL: It is none.
    """
    whole, _, fragment = text.encode("utf-8", "surrogatepass").partition(b"#")
    parsed = _told(_text(whole), lambda: _parsed(whole, request=False, fragment=b""))
    if not fragment:
        return parsed
    return _told(text, lambda: _parsed(whole, request=False, fragment=fragment))


def _told(text: str, parse: Callable[[], ParsedURL]) -> ParsedURL:
    try:
        return parse()
    except BadURL as error:
        raise BadURL(f"parse {quoted(text)}: {error}") from error


def _parsed(raw: bytes, *, request: bool, fragment: bytes) -> ParsedURL:
    if _CONTROL.search(raw):
        raise BadURL("net/url: invalid control character in URL")
    if not raw and request:
        raise BadURL("empty url")
    if raw == b"*":
        return ParsedURL(path="*", text="*")
    scheme, rest = _scheme(raw)
    rest, mark, query = rest.partition(b"?")
    tail = (b"?" + query if mark else b"") + _fragment(fragment)
    prefix = scheme + b":" if scheme else b""
    if not rest.startswith(b"/"):
        if scheme:
            return ParsedURL(_text(scheme), query=_text(query), text=_text(prefix + rest + tail))
        _must_be_relative(rest, request=request)
    has_host = rest.startswith(b"//") and (bool(scheme) or not (request or rest.startswith(b"///")))
    user = host = b""
    if has_host:
        authority, slash, path = rest[2:].partition(b"/")
        rest = slash + path
        user, host = _authority(authority, strict=scheme in (b"http", b"https"))
        if host or rest or user:
            prefix += b"//" + user + _escaped(host, _IN_HOST)
    path = _as_written(rest, _IN_PATH, _IN_PATH_AS_WRITTEN)
    return ParsedURL(_text(scheme), _text(host), _text(path), _text(query), _text(prefix + path + tail))


def _scheme(raw: bytes) -> tuple[bytes, bytes]:
    if raw.startswith(b":"):
        raise BadURL("missing protocol scheme")
    found = _SCHEME.match(raw)
    return (found[0][:-1].lower(), raw[found.end() :]) if found else (b"", raw)


def _must_be_relative(rest: bytes, *, request: bool) -> None:
    if request:
        raise BadURL("invalid URI for request")
    if b":" in rest.partition(b"/")[0]:
        raise BadURL("first path segment in URL cannot contain colon")


def _authority(authority: bytes, *, strict: bool) -> tuple[bytes, bytes]:
    """Return the user as it is written back, with its at sign, and the host."""
    user, at, host = authority.rpartition(b"@")
    host = _host(host, strict=strict)
    if not at:
        return b"", host
    if not _USER.fullmatch(user):
        raise BadURL("net/url: invalid userinfo")
    name, colon, password = user.partition(b":")
    written = _escaped(_unescaped(name), _IN_USER) + colon + _escaped(_unescaped(password), _IN_USER)
    return written + at, host


def _host(host: bytes, *, strict: bool) -> bytes:
    bracket = host.rfind(b"[")
    if bracket > 0:
        raise BadURL("invalid IP-literal")
    if bracket == 0:
        return _literal(host)
    colon = host.find(b":")
    if colon >= 0:
        _must_be_port(host[colon if strict else host.rfind(b":") :])
    return _unescaped_host(host)


def _must_be_port(text: bytes) -> None:
    if not _PORT.fullmatch(text):
        raise BadURL(f"invalid port {quoted(_text(text))} after host")


def _literal(host: bytes) -> bytes:
    """Read an IPv6 address in brackets, of which a zone may be escaped."""
    end = host.rfind(b"]")
    if end < 0:
        raise BadURL("missing ']' in host")
    port = host[end + 1 :]
    _must_be_port(port)
    name = host[1:end]
    zone = name.find(b"%25")
    split = zone if zone >= 0 else len(name)
    name = _unescaped_host(name[:split]) + _unescaped_zone(name[split:])
    try:
        address, _ = parse_address(_text(name))
    except BadAddress as error:
        raise BadURL(f"invalid host: {error}") from error
    if address.bits == 32:  # IPv4
        raise BadURL("invalid IP-literal")
    return b"[" + name + b"]" + port


def _unescaped(
    text: bytes, allowed: frozenset[int] | None = None, refuse: Callable[[bytes], bool] = lambda _escape: False
) -> bytes:
    """Replace escapes by their bytes; only some escapes and some bare ASCII characters may be allowed."""
    if allowed is None and b"%" not in text:
        return text
    read = bytearray()
    at = 0
    while at < len(text):
        escape = text[at : at + 3]
        if text[at] == _PERCENT:
            if not _ESCAPE.fullmatch(escape) or refuse(escape):
                raise BadURL(f"invalid URL escape {quoted(_text(escape))}")
            read.append(int(escape[1:], 16))
            at += 3
            continue
        if allowed is not None and text[at] < _ASCII and text[at] not in allowed:
            raise BadURL(f"invalid character {quoted(chr(text[at]))} in host name")
        read.append(text[at])
        at += 1
    return bytes(read)


def _unescaped_host(text: bytes) -> bytes:
    return _unescaped(text, _IN_HOST, lambda escape: int(escape[1:], 16) < _ASCII and escape != b"%25")


def _unescaped_zone(text: bytes) -> bytes:
    return _unescaped(
        text, _IN_HOST, lambda escape: escape != b"%25" and int(escape[1:], 16) not in _IN_HOST | set(b" ")
    )


def _escaped(text: bytes, allowed: frozenset[int]) -> bytes:
    return b"".join(bytes([byte]) if byte in allowed else b"%%%02X" % byte for byte in text)


def _as_written(text: bytes, allowed: frozenset[int], also_written: frozenset[int]) -> bytes:
    """Keep a text's own escaping where it has what it must; else escape it anew."""
    plain = _unescaped(text)
    return text if also_written.issuperset(text) else _escaped(plain, allowed)


def _fragment(fragment: bytes) -> bytes:
    return b"#" + _as_written(fragment, _IN_FRAGMENT, _IN_FRAGMENT_AS_WRITTEN) if fragment else b""


def _split_port(host: str) -> tuple[str, str]:
    found = re.search(":([0-9]*)$", host)
    return (host[: found.start()], found[1]) if found else (host, "")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
