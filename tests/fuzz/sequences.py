"""Strategies for sequences of requests about the objects of one kind; most of them are meant to succeed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain

from hypothesis import strategies as st

from fairlead_api import JsonObject
from tests.fuzz import patches
from tests.fuzz.asked import Edit, Request, edited
from tests.fuzz.kinds import Kind, Schemas
from tests.fuzz.mutations import Draw, mutations

SLOTS = ("a", "b", "c")
_SLOW = {"v1/namespaces", "v1/replicationcontrollers", "batch/v1/jobs"}
"""What controllers finish deleting, or orphan the dependents of, unless told otherwise."""
GENERATED = "rnd-"
"""What generated names begin with."""
LENGTH = (10, 25)
"""Requests after the first one."""
_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1,application/json"
_PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_SELECTORS = (
    "slot=a", "slot!=a", "slot in (a,b)", "slot notin (a)", "slot", "!slot", "slot=none", "other", "slot==b", "slot>1",
    "slot in ()", "a=b=c", "Bad Key=1", ",",
)  # fmt: skip
_FIELDS = (
    "metadata.name=a", "metadata.name!=a", "metadata.namespace=${ns}", "spec.nodeName=", "status.phase=Pending",
    "metadata.name=a,metadata.namespace=${ns}", "spec.unknown=1", "=", "metadata.name", "type=Opaque", "reason=Started",
    "spec.unschedulable=true", "involvedObject.kind=Pod",
)  # fmt: skip

_DEBUG: JsonObject = {"name": "debug", "image": "debug"}
_MORE: JsonObject = {"requests": {"cpu": "200m", "memory": "64Mi"}, "limits": {"cpu": 2, "memory": "128Mi"}}
_PARTS_OF_PODS = (
    ("ephemeralcontainers", Edit("set", "/spec/ephemeralContainers", [_DEBUG])),
    ("ephemeralcontainers", Edit("set", "/spec/ephemeralContainers", [{**_DEBUG, "targetContainerName": "web"}])),
    ("ephemeralcontainers", Edit("set", "/spec/containers/0/image", "other")),
    ("resize", Edit("set", "/spec/containers/0/resources", {"requests": {"cpu": "200m"}})),
    ("resize", Edit("set", "/spec/containers/0/resources", _MORE)),
    ("resize", Edit("set", "/spec/containers/0/resources", _MORE)),
    ("resize", Edit("set", "/spec/containers/0/resources", {"limits": {"cpu": "2", "memory": "1Gi"}})),
    ("resize", Edit("set", "/spec/containers/0/image", "other")),
)
_TOKENS: tuple[JsonObject, ...] = (
    {"audiences": ["a", "b"], "expirationSeconds": 600},
    {"expirationSeconds": 599},
    {"audiences": [], "expirationSeconds": 2**32 + 1},
    {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "none"}},
    {"boundObjectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}},
)


class Writer:
    """Draws one request after the other about one kind."""

    def __init__(self, draw: Draw, kind: Kind, schemas: Schemas) -> None:
        self._draw, self._kind, self._schemas = draw, kind, schemas
        self._made: dict[str, JsonObject] = {}
        self._has_random_name = False

    def first(self) -> Request:
        """Return the creation of the first object, which is valid."""
        return self._create("a", is_valid=True)

    def next(self) -> list[Request]:
        """Return the next request, and what has to come with it."""
        asked = self._draw(st.sampled_from(self._ways()))()
        return asked if isinstance(asked, list) else [asked]

    def last(self) -> Request:
        """Return the deletion of all there is."""
        return self._of_collection("DELETE", "deletecollection", {"labelSelector": "fuzz=${id}"})

    def _ways(self) -> list[Callable[[], Request | list[Request]]]:
        kind = self._kind
        ways: list[Callable[[], Request | list[Request]]] = []
        for count, way in (
            (4, self._create_next),
            (3, self._get),
            (4, self._list),
            (1, self._watch),
            (6, self._update),
            (12, self._patch),
            (3, self._delete),
            (1, self._delete_some),
            (4 * ("status" in kind.subresources), self._status),
            (4 * ("scale" in kind.subresources), self._scale),
            (2 * ("eviction" in kind.subresources), self._post_to_pod),
            (2 * ("resize" in kind.subresources), self._part_of_pod),
            (2 * ("token" in kind.subresources), self._token),
        ):
            ways += [way] * count
        return ways

    # Objects.

    def _slot(self) -> str:
        """Return an object that was made; sometimes one that was not."""
        if self._made and self._draw(st.integers(0, 14)):
            return str(self._draw(st.sampled_from(sorted(self._made))))
        return str(self._draw(st.sampled_from((*SLOTS, "none"))))

    def _edits(self, body: JsonObject, *, allowed: bool) -> tuple[Edit, ...]:
        """Draw what is changed: something that is allowed in two of three cases."""
        good = [Edit("set", "/metadata/annotations", {"v": str(self._draw(st.integers(0, 3)))}), *self._kind.edits]
        if allowed and self._draw(st.integers(0, 2)):
            return (self._draw(st.sampled_from(good)),)
        return mutations(self._draw, body, self._kind.schema, self._schemas)

    def _create_next(self) -> Request:
        if not self._has_random_name and self._draw(st.integers(0, 9)) == 0:
            self._has_random_name = True  # the order of two would be random, too
            body = self._kind.object(self._draw(st.sampled_from(self._kind.templates)), "random")
            named = (Edit("cut", "/metadata/name"), Edit("set", "/metadata/generateName", GENERATED))
            request = self._of_collection("POST", "create", {})
            return replace(request, body=body, edits=named, headers=_json())
        missing = [slot for slot in SLOTS if slot not in self._made]
        return self._create(self._draw(st.sampled_from(missing or SLOTS)), is_valid=False)

    def _create(self, slot: str, *, is_valid: bool) -> Request:
        body = self._kind.object(self._draw(st.sampled_from(self._kind.templates)), slot)
        edits: tuple[Edit, ...] = ()
        if not is_valid and self._draw(st.booleans()):
            edits = self._edits(body, allowed=False)
        query = {} if is_valid else self._writing()
        if is_valid or ("dryRun" not in query and not edits):
            self._made[slot] = body
        request = self._of_collection("POST", "create", query)
        return replace(request, slot=slot, body=body, edits=edits, headers=_json())

    def _get(self) -> Request:
        query = self._draw(st.sampled_from(({}, {}, {}, {"resourceVersion": "0"}, {"resourceVersion": "x"})))
        accept = self._draw(st.sampled_from(("", "", "", _TABLE, _PARTIAL)))
        return replace(self._of_object("GET", "get", self._slot(), query), headers=_accept(accept))

    def _update(self) -> Request:
        slot = self._slot()
        body = self._made.get(slot) or self._kind.object(self._kind.templates[0], slot)
        is_seen = self._draw(st.integers(0, 4)) > 0
        request = self._of_object("PUT", "update", slot, self._writing())
        return replace(request, body=body, is_seen=is_seen, edits=self._edits(body, allowed=True), headers=_json())

    def _patch(self) -> Request:
        slot = self._slot()
        body = self._made.get(slot) or self._kind.object(self._kind.templates[0], slot)
        return self._patched(self._of_object("PATCH", "patch", slot, self._writing()), body)

    def _patched(self, request: Request, body: JsonObject) -> Request:
        way = self._draw(st.sampled_from(patches.WAYS))
        request = replace(request, verb=f"patch-{way}", headers={"Content-Type": patches.TYPES[way]})
        if way == "apply":
            return self._applied(request, body)
        edits = self._edits(body, allowed=True)
        return replace(request, body=patches.patch(self._draw, way, body, edits))

    def _applied(self, request: Request, body: JsonObject) -> Request:
        edits = self._edits(body, allowed=True) if self._draw(st.booleans()) else ()
        query = {**request.query, **self._draw(st.sampled_from(({}, {"force": "true"}, {"force": "true"})))}
        query.setdefault("fieldManager", self._draw(st.sampled_from(("alpha", "beta", "gamma"))))
        return replace(request, body=patches.partial(self._draw, body), edits=edits, query=query)

    def _delete(self) -> list[Request]:
        slot = self._slot()
        options, query = self._deletion(slot)
        request = self._of_object("DELETE", "delete", slot, query)
        if "dryRun" not in query and not options.get("preconditions"):
            self._made.pop(slot, None)
        asked = replace(request, body=options or None, headers=_json() if options else {})
        is_slow = {"Foreground", "Orphan"} & {options.get("propagationPolicy"), query.get("propagationPolicy")}
        return [asked, *self._settled((slot,) if is_slow or self._kind.key in _SLOW else ())]

    def _settled(self, slots: Iterable[str]) -> list[Request]:
        """Return what waits until garbage collectors and the like are done with objects."""
        return [replace(self._of_object("GET", "settle", slot, {}), slot="") for slot in slots]

    def _deletion(self, slot: str) -> tuple[JsonObject, dict[str, str]]:
        policies = ("Background",) if self._kind.is_custom else ("Background", "Foreground", "Orphan", "Bad")
        choices: tuple[JsonObject, ...] = (
            {},
            {},
            {"gracePeriodSeconds": 0},
            {"gracePeriodSeconds": 30},
            {"gracePeriodSeconds": -1},
            {"preconditions": {"resourceVersion": f"${{rv:{slot}}}", "uid": f"${{uid:{slot}}}"}},
            {"preconditions": {"resourceVersion": "1"}},
            {"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}},
            {"unknown": 1},
            *({"propagationPolicy": policy} for policy in policies),
        )
        query = self._draw(
            st.sampled_from(
                ({}, {}, {}, {"dryRun": "All"}, {"propagationPolicy": "Background"}, {"gracePeriodSeconds": "0"})
            )
        )
        return self._draw(st.sampled_from(choices)), query

    def _delete_some(self) -> list[Request]:
        chosen = self._draw(st.sampled_from(("slot=a", "slot in (b,c)", "none", "slot!=a")))
        query = {"labelSelector": f"fuzz=${{id}},{chosen}"}
        query |= self._draw(st.sampled_from(({}, {"dryRun": "All"}, {"gracePeriodSeconds": "0"})))
        asked = self._of_collection("DELETE", "deletecollection", query)
        return [asked, *self._settled(SLOTS if self._kind.key in _SLOW else ())]

    # Reading many.

    def _list(self) -> list[Request]:
        accept = _accept(self._draw(st.sampled_from(("", "", "", _TABLE, _PARTIAL_LIST))))
        if self._kind.is_namespaced and self._draw(st.integers(0, 7)) == 0:
            everywhere = self._of_collection("GET", "list", {"labelSelector": "fuzz=${id}"})
            return [replace(everywhere, path=everywhere.path.replace("/namespaces/${ns}", ""), headers=accept)]
        query = self._selection()
        first = replace(self._of_collection("GET", "list", query), headers=accept)
        if "limit" not in query:
            return [first]
        return [first, replace(first, query={**query, "continue": "${continue}"})]

    def _selection(self) -> dict[str, str]:
        query: dict[str, str] = {}
        selector = self._draw(st.sampled_from(_SELECTORS)) if self._draw(st.integers(0, 2)) == 0 else ""
        if not self._kind.is_namespaced:
            selector = f"fuzz=${{id}}{',' * bool(selector)}{selector}"
        if selector:
            query["labelSelector"] = selector
        if self._draw(st.integers(0, 4)) == 0:
            query["fieldSelector"] = self._draw(st.sampled_from(_FIELDS))
        more: tuple[dict[str, str], ...] = (
            {},
            {},
            {},
            *(({"limit": "1"}, {"limit": "2"}, {"limit": "-1"}) if self._kind.is_namespaced else ()),
            {"resourceVersion": "0"},
            {"resourceVersion": "${listrv}", "resourceVersionMatch": "Exact"},
            {"resourceVersion": "${listrv}", "resourceVersionMatch": "NotOlderThan"},
            {"resourceVersionMatch": "Exact"},
            {"resourceVersion": "0", "resourceVersionMatch": "Bad"},
        )
        query |= self._draw(st.sampled_from(more))
        return query

    def _watch(self) -> list[Request]:
        """Return a list, a change, and a watch from before the change."""
        selection: dict[str, str] = {} if self._kind.is_namespaced else {"labelSelector": "fuzz=${id}"}
        listed = self._of_collection("GET", "list", selection)
        query = {**selection, "watch": "1", "resourceVersion": "${listrv}", "timeoutSeconds": "5"}
        if self._kind.is_namespaced and self._draw(st.booleans()):
            query["labelSelector"] = self._draw(st.sampled_from(_SELECTORS[:6]))
        accept = _accept(self._draw(st.sampled_from(("", "", _TABLE, _PARTIAL))))
        watched = replace(self._of_collection("GET", "watch", query), headers=accept)
        if self._draw(st.integers(0, 3)) == 0:
            initial = {
                "sendInitialEvents": "true",
                "resourceVersionMatch": "NotOlderThan",
                "allowWatchBookmarks": "true",
            }
            return [
                replace(
                    self._of_collection("GET", "watch", {**query, **initial, "resourceVersion": ""}), headers=accept
                )
            ]
        changes = [[self._patch()], [self._update()], self._delete()]
        return [listed, *chain(*changes[: self._draw(st.integers(1, len(changes)))]), watched]

    # Subresources.

    def _status(self) -> Request:
        slot = self._slot()
        query = self._writing()
        parts = [each for each in ("status", "approval") if each in self._kind.subresources]
        request = self._of_object("GET", "get", slot, {}, self._draw(st.sampled_from(parts)))
        status = {"status": self._kind.status} if self._kind.status is not None else {"status": {}}
        head = self._kind.object({}, slot)
        schema = self._kind.schema
        match self._draw(st.sampled_from(("get", "put", "patch", "patch"))):
            case "get":
                return request
            case "put":
                body = {**(self._made.get(slot) or head), **status}
                edits: tuple[Edit, ...] = (Edit("set", "/status", status["status"]),)
                if self._draw(st.booleans()):
                    edits += mutations(self._draw, {"status": status["status"]}, schema, self._schemas)
                request = replace(request, method="PUT", verb="update", query=query, body=body, headers=_json())
                return replace(request, is_seen=True, edits=edits)
        return self._patched_status(replace(request, method="PATCH", query=query), {**head, **status})

    def _patched_status(self, request: Request, body: JsonObject) -> Request:
        way = self._draw(st.sampled_from(patches.WAYS))
        request = replace(request, verb=f"patch-{way}", headers={"Content-Type": patches.TYPES[way]})
        edits: tuple[Edit, ...] = (Edit("set", "/status", body["status"]),)
        if self._draw(st.booleans()):
            edits += mutations(self._draw, {"status": body["status"]}, self._kind.schema, self._schemas)
        if way == "apply":
            request.query.setdefault("fieldManager", "status")
            return replace(request, body=body, edits=edits)
        return replace(request, body=patches.patch(self._draw, way, body, edits))

    def _scale(self) -> Request:
        slot = self._slot()
        request = self._of_object("GET", "get", slot, {}, "scale")
        replicas = self._draw(st.sampled_from((0, 1, 5, 2, -1, "3", None, 2**31)))
        head = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": self._kind.name_of(slot)}}
        body = {**head, "spec": {"replicas": replicas}}
        match self._draw(st.sampled_from(("get", "put", "patch", "patch"))):
            case "get":
                return request
            case "put":
                return replace(request, method="PUT", verb="update", query=self._writing(), body=body, headers=_json())
        way = self._draw(st.sampled_from(patches.WAYS))
        request = replace(request, method="PATCH", verb=f"patch-{way}", query=self._writing())
        request = replace(request, headers={"Content-Type": patches.TYPES[way]})
        if way == "apply":
            request.query.setdefault("fieldManager", "scaler")
            return replace(request, body=body)
        edits = (Edit("set", "/spec/replicas", replicas),)
        return replace(request, body=patches.patch(self._draw, way, {"spec": {"replicas": 1}}, edits))

    def _post_to_pod(self) -> Request:
        slot = self._slot()
        name = {"name": self._kind.name_of(slot)}
        evict: JsonObject = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": name}
        bind: JsonObject = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": name,
            "target": {"kind": "Node", "name": "n"},
        }
        way, body = self._draw(st.sampled_from((("eviction", evict), ("binding", bind))))
        edits = mutations(self._draw, body, {}, self._schemas) if self._draw(st.integers(0, 2)) == 0 else ()
        query = self._draw(st.sampled_from(({}, {"dryRun": "All"})))
        request = self._of_object("POST", "create", slot, query, way)
        return replace(request, body=body, edits=edits, headers=_json())

    def _part_of_pod(self) -> Request:
        slot = self._slot()
        name, edit = self._draw(st.sampled_from(_PARTS_OF_PODS))
        request = self._of_object("GET", "get", slot, {}, name)
        body = self._made.get(slot) or self._kind.object(self._kind.templates[0], slot)
        edits: tuple[Edit, ...] = (edit,)
        if self._draw(st.integers(0, 2)) == 0:
            edits += mutations(self._draw, edited(body, edits), self._kind.schema, self._schemas)
        match self._draw(st.sampled_from(("get", "put", "patch", "patch"))):
            case "get":
                return request
            case "put":
                request = replace(request, method="PUT", verb="update", query=self._writing(), body=body)
                return replace(request, is_seen=True, edits=edits, headers=_json())
        way = self._draw(st.sampled_from(patches.WAYS))
        request = replace(request, method="PATCH", verb=f"patch-{way}", query=self._writing())
        request = replace(request, headers={"Content-Type": patches.TYPES[way]})
        if way == "apply":
            request.query.setdefault("fieldManager", "alpha")
            return replace(request, body=self._kind.object({}, slot), edits=edits)
        return replace(request, body=patches.patch(self._draw, way, body, edits))

    def _token(self) -> Request:
        spec = self._draw(st.sampled_from(_TOKENS))
        body: JsonObject = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        edits = mutations(self._draw, body, {}, self._schemas) if self._draw(st.integers(0, 2)) == 0 else ()
        query = self._draw(st.sampled_from(({}, {}, {"dryRun": "All"})))
        request = self._of_object("POST", "create", self._slot(), query, "token")
        return replace(request, body=body, edits=edits, headers=_json())

    # Forms.

    def _writing(self) -> dict[str, str]:
        """Draw the parameters of a write."""
        query: dict[str, str] = {}
        if self._draw(st.integers(0, 9)) == 0:
            query["dryRun"] = self._draw(st.sampled_from(("All", "All", "All", "Some")))
        if self._draw(st.integers(0, 2)) == 0:
            query["fieldValidation"] = self._draw(st.sampled_from(("Strict", "Warn", "Ignore", "Strict", "Bad")))
        if self._draw(st.integers(0, 3)) == 0:
            query["fieldManager"] = self._draw(st.sampled_from(("alpha", "beta", "alpha", "beta", "x" * 130)))
        return query

    def _of_collection(self, method: str, verb: str, query: dict[str, str]) -> Request:
        return Request(verb, self._kind.key, method, self._kind.collection, query=query)

    def _of_object(self, method: str, verb: str, slot: str, query: dict[str, str], subresource: str = "") -> Request:
        end = f"/{subresource}" if subresource else ""
        path = f"{self._kind.collection}/{self._kind.name_of(slot)}{end}"
        return Request(verb, f"{self._kind.key}{end}", method, path, slot=slot, query=dict(query))


def _json() -> dict[str, str]:
    return {"Content-Type": "application/json"}


def _accept(accept: str) -> dict[str, str]:
    return {"Accept": accept} if accept else {}


def about(draw: Draw, kind: Kind, schemas: Schemas) -> list[Request]:
    """Draw a sequence about one kind."""
    writer = Writer(draw, kind, schemas)
    requests = [writer.first()]
    for _ in range(draw(st.integers(*LENGTH))):
        requests += writer.next()
    return [*requests, writer.last()]


@st.composite
def sequences(draw: Draw, kind: Kind, schemas: Schemas) -> list[Request]:
    """Draw a sequence about one kind."""
    return about(draw, kind, schemas)


def kinds_named(kinds: list[Kind], only: str) -> list[Kind]:
    """Return the kinds whose key has one of the words in it; all when there are none."""
    words = [word for word in only.split(",") if word]
    return [kind for kind in kinds if not words or any(word in kind.key for word in words)]
