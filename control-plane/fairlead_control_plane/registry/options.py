"""
The query parameters of a request, read and checked.

Source: k8s.io/apimachinery pkg/apis/meta/v1/types.go (ListOptions, …), pkg/apis/meta/v1/validation,
pkg/apis/meta/internalversion/validation, v0.36.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Cause
from fairlead_api.field_errors import forbidden, invalid, not_supported, required
from fairlead_control_plane.registry.messages import bad_list_version, bad_version, invalid_options
from fairlead_control_plane.watch.selection import parsed

EXACT, NOT_OLDER_THAN = "Exact", "NotOlderThan"
IGNORE, WARN, STRICT = "Ignore", "Warn", "Strict"
ORPHAN, BACKGROUND, FOREGROUND = "Orphan", "Background", "Foreground"
_MANAGER_LIMIT = 128
_MAX_VERSION = 2**64 - 1


@dataclass(frozen=True, slots=True)
class ListOptions:
    """
    What a list or watch asks for.

    Attributes:
        version: ``resourceVersion`` as sent; ``""`` when absent.
        send_initial_events: None when absent.
        timeout_s: None when absent.
    """

    label_selector: str = ""
    field_selector: str = ""
    version: str = ""
    match: str = ""
    limit: int = 0
    continue_token: str = ""
    timeout_s: int | None = None
    bookmarks: bool = False
    send_initial_events: bool | None = None

    @property
    def revision(self) -> int:
        """Return ``resourceVersion`` as a number; 0 for ``""`` and ``"0"``."""
        return parse_version(self.version)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """
    How a write is to be done.

    Attributes:
        manager: Field manager, from the query or else from the client's name.
        asked_manager: The one in the query; ``""`` when absent.
        validation: ``Ignore``, ``Warn`` or ``Strict``: what to do with unknown and doubled fields.
        force: Apply only: take fields from other managers.
    """

    dry_run: bool = False
    manager: str = "fairlead"
    asked_manager: str = ""
    validation: str = IGNORE
    force: bool | None = None


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a delete asks for; None and ``""`` where it says nothing. ``propagation`` is one of the constants."""

    dry_run: bool = False
    uid: str | None = None
    version: str | None = None
    propagation: str = ""
    grace_s: int | None = None
    orphan: bool | None = None
    """The deprecated ``orphanDependents``."""


def parse_version(text: str) -> int:
    """Return a resourceVersion as a number; raises ``Unclassified`` (500) when it is none."""
    if not text:
        return 0
    if not _is_version(text):
        raise bad_version(text)
    return int(text)


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= _MAX_VERSION


def _boolean(query: Mapping[str, str], key: str) -> bool | None:
    text = query.get(key)
    if text is None:
        return None
    return text.lower() not in {"0", "false", "f"}


def _integer(query: Mapping[str, str], key: str) -> int | None:
    text = query.get(key)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def list_options(query: Mapping[str, str], *, watching: bool) -> ListOptions:
    """
    Read the options of a list, watch or deletecollection.

    Raises:
        Invalid: They contradict each other.
        BadRequest: A number is none.
    """
    options = ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        limit=max(_integer(query, "limit") or 0, 0),
        continue_token=query.get("continue", ""),
        timeout_s=_integer(query, "timeoutSeconds"),
        bookmarks=bool(_boolean(query, "allowWatchBookmarks")),
        send_initial_events=_boolean(query, "sendInitialEvents"),
    )
    causes = _watch_causes(options) if watching else _list_causes(options)
    if causes:
        parsed(options.label_selector, options.field_selector)  # a selector that cannot be read is told first
        raise invalid_options("ListOptions", causes)
    return options


def check_list_version(version: str) -> None:
    """Raise ``BadRequest`` when the resourceVersion of a list is no number."""
    if version and not _is_version(version):
        raise bad_list_version(version)


def _list_causes(options: ListOptions) -> list[Cause]:
    causes = []
    path = "resourceVersionMatch"
    if options.match:
        if not options.version:
            causes.append(forbidden(path, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.continue_token:
            causes.append(forbidden(path, "resourceVersionMatch is forbidden when continue is provided"))
        if options.match not in {EXACT, NOT_OLDER_THAN}:
            causes.append(not_supported(path, options.match, [EXACT, NOT_OLDER_THAN, ""]))
        if options.match == EXACT and options.version == "0":
            causes.append(forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial_events is not None:
        causes.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: ListOptions) -> list[Cause]:
    causes = []
    path = "resourceVersionMatch"
    asked = options.send_initial_events is not None
    if asked and options.match != NOT_OLDER_THAN:
        causes.append(forbidden(path, f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"))
    if options.match:
        if not asked:
            text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            causes.append(forbidden(path, text))
        if options.match != NOT_OLDER_THAN:
            causes.append(not_supported(path, options.match, [NOT_OLDER_THAN]))
    if options.continue_token:
        causes.append(forbidden(path, "resourceVersionMatch is forbidden when continue is provided"))
    return causes


def write_options(
    query: Mapping[str, str], query_all: Mapping[str, tuple[str, ...]], agent: str, kind: str, *, applying: bool = False
) -> WriteOptions:
    """
    Read the options of a create, update or patch.

    Args:
        query, query_all: Decoded query.
        agent: The ``User-Agent`` header, from which the field manager is taken when none is named.
        kind: ``CreateOptions``, ``UpdateOptions`` or ``PatchOptions``, for messages.
        applying: The body is an apply patch.

    Raises:
        Invalid: One is not allowed.
    """
    force = _boolean(query, "force")
    asked = query.get("fieldManager", "")
    causes = []
    if kind == "PatchOptions":
        if not applying and force is not None:
            causes.append(forbidden("force", "may not be specified for non-apply patch"))
        if applying and not asked:
            causes.append(required("fieldManager", "is required for apply patch"))
    causes += _manager_causes(asked)
    causes += _dry_run_causes(query_all.get("dryRun", ()) or _single(query, "dryRun"))
    validation = query.get("fieldValidation", "")
    if validation not in {"", IGNORE, WARN, STRICT}:
        causes.append(not_supported("fieldValidation", validation, ["", IGNORE, STRICT, WARN]))
    if causes:
        raise invalid_options(kind, causes)
    return WriteOptions(
        dry_run="dryRun" in query,
        manager=asked or manager_of(agent),
        asked_manager=asked,
        validation=validation or WARN,
        force=force,
    )


def _single(query: Mapping[str, str], key: str) -> tuple[str, ...]:
    return (query[key],) if key in query else ()


def _manager_causes(manager: str) -> list[Cause]:
    if len(manager.encode()) > _MANAGER_LIMIT:
        return [Cause("FieldValueTooLong", f"Too long: may not be more than {_MANAGER_LIMIT} bytes", "fieldManager")]
    for index, letter in enumerate(manager):
        if not letter.isprintable():
            text = f"invalid character U+{ord(letter):04X} (at position {len(manager[:index].encode())})"
            return [invalid("fieldManager", manager, text)]
    return []


def _dry_run_causes(values: tuple[str, ...]) -> list[Cause]:
    if any(value != "All" for value in values):
        shown = list(values)
        return [not_supported("dryRun", shown, ["All"])]
    return []


def manager_of(agent: str) -> str:
    """Return the field manager of a client that names none: its User-Agent up to the first slash."""
    return agent.split("/", maxsplit=1)[0][:_MANAGER_LIMIT] or "unknown"


def delete_options(query: Mapping[str, str], body: JsonObject) -> DeleteOptions:
    """
    Read the options of a delete: the body's where there is one, else the query's.

    Raises:
        Invalid: They contradict each other.
    """
    given = dict(body)
    preconditions = given.get("preconditions") or {}
    if not body:
        for key in ("gracePeriodSeconds", "propagationPolicy"):
            if key in query:
                given[key] = _integer(query, key) if key == "gracePeriodSeconds" else query[key]
        if "orphanDependents" in query:
            given["orphanDependents"] = _boolean(query, "orphanDependents")
        if "dryRun" in query:
            given["dryRun"] = [query["dryRun"]]
    orphan, propagation = given.get("orphanDependents"), given.get("propagationPolicy") or ""
    causes = _propagation_causes(orphan, propagation)
    causes += _dry_run_causes(tuple(given.get("dryRun") or ()))
    if causes:
        raise invalid_options("DeleteOptions", causes)
    if orphan is not None:
        propagation = ORPHAN if orphan else BACKGROUND
    return DeleteOptions(
        dry_run=bool(given.get("dryRun")),
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
        propagation=propagation,
        grace_s=given.get("gracePeriodSeconds"),
        orphan=orphan,
    )


def _propagation_causes(orphan: bool | None, propagation: str) -> list[Cause]:
    if orphan is not None and propagation:
        return [
            invalid("propagationPolicy", propagation, "orphanDependents and deletionPropagation cannot be both set")
        ]
    if propagation not in {"", ORPHAN, BACKGROUND, FOREGROUND}:
        return [not_supported("propagationPolicy", propagation, [FOREGROUND, BACKGROUND, ORPHAN, "nil"])]
    return []
