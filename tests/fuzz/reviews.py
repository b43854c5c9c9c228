"""Questions that are posted and leave nothing behind: who may do what, whose a token is."""

from __future__ import annotations

from hypothesis import strategies as st

from fairlead_api import JsonObject
from tests.fuzz.asked import Edit, Request
from tests.fuzz.kinds import Schemas
from tests.fuzz.mutations import Draw, mutations

_AUTHORIZATION, _AUTHENTICATION = "authorization.k8s.io/v1", "authentication.k8s.io/v1"
_ACCESS: JsonObject = {
    "resourceAttributes": {"namespace": "${ns}", "verb": "get", "resource": "pods", "name": "a"},
}
_SELECTED: JsonObject = {
    "resourceAttributes": {
        "verb": "list",
        "group": "apps",
        "version": "v1",
        "resource": "deployments",
        "subresource": "scale",
        "labelSelector": {"requirements": [{"key": "a", "operator": "In", "values": ["b"]}]},
        "fieldSelector": {"rawSelector": "metadata.name=a"},
    },
}
_PATH: JsonObject = {"nonResourceAttributes": {"path": "/healthz", "verb": "get"}}
_SOMEBODY: JsonObject = {"user": "somebody", "groups": ["a", "b"], "extra": {"k": ["v"]}, "uid": "1"}
_ADMINISTRATOR: JsonObject = {"user": "somebody", "groups": ["system:masters"]}
_POSTED: tuple[tuple[str, str, str, tuple[JsonObject, ...]], ...] = (
    (
        _AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews",
        tuple({**who, **what} for who in (_SOMEBODY, _ADMINISTRATOR) for what in (_ACCESS, _SELECTED, _PATH)),
    ),
    (_AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", (_ACCESS, _SELECTED, _PATH)),
    (
        _AUTHORIZATION, "LocalSubjectAccessReview", "namespaces/${ns}/localsubjectaccessreviews",
        ({**_SOMEBODY, **_ACCESS}, {**_ADMINISTRATOR, **_ACCESS}, {**_SOMEBODY, **_SELECTED}, {**_SOMEBODY, **_PATH}),
    ),
    (_AUTHENTICATION, "TokenReview", "tokenreviews", ({"token": "none"}, {"token": "none", "audiences": ["a"]}, {})),
    (_AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", ({},)),
)  # fmt: skip
LENGTH = (5, 15)


@st.composite
def review_sequences(draw: Draw, schemas: Schemas) -> list[Request]:
    """Draw a sequence of reviews; half of them are as they should be."""
    return [_review(draw, schemas) for _ in range(draw(st.integers(*LENGTH)))]


def _review(draw: Draw, schemas: Schemas) -> Request:
    api_version, kind, path, specs = draw(st.sampled_from(_POSTED))
    body = {"apiVersion": api_version, "kind": kind, "spec": draw(st.sampled_from(specs))}
    edits: tuple[Edit, ...] = ()
    if draw(st.booleans()):
        edits = mutations(draw, body, schemas.of(api_version, kind), schemas)
    query = draw(st.sampled_from(({}, {}, {"dryRun": "All"}, {"fieldValidation": "Strict"})))
    plural = path.rpartition("/")[2]
    headers = {"Content-Type": "application/json"}
    key, path = f"{api_version}/{plural}", f"/apis/{api_version}/{path}"
    return Request("create", key, "POST", path, query=query, body=body, edits=edits, headers=headers)
