"""What a binding gives, whatever the export offers and whatever else the workspace has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairlead_api import JsonObject, conditions
from fairlead_control_plane.sharing.bindings import Taken, status_of, taken_by
from fairlead_control_plane.sharing.exports import Offer, SchemaSummary

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
WORDS = st.sampled_from(["a", "b", "c"])


@st.composite
def schemas(draw: st.DrawFn) -> SchemaSummary:
    group, word, version = draw(st.sampled_from(["", "x.dev"])), draw(WORDS), draw(st.sampled_from(["v1", "v2"]))
    short = tuple(draw(st.lists(WORDS, max_size=1)))
    name = f"today.{word}s.{group or 'core'}"
    return SchemaSummary(name, f"uid-{name}-{version}", group, f"{word}s", word, word.upper(), "", short, version)


CLAIMS = st.lists(
    st.sampled_from(
        [{"resource": "configmaps", "all": True}, {"group": "x.dev", "resource": "bs", "identityHash": "i"}]
    ),
    max_size=2,
)
OFFERS = st.builds(
    Offer,
    cluster=st.just("provider"),
    name=st.just("west"),
    revision=st.just(7),
    identity=st.sampled_from(["", "hash"]),
    schemas=st.lists(schemas(), max_size=4, unique_by=lambda each: (each.group, each.plural)).map(tuple),
    missing=st.sampled_from([(), ("gone.as.x.dev",)]),
    claims=CLAIMS.map(tuple),
)
HOLDERS = st.lists(schemas().map(lambda schema: taken_by(schema, "APIBinding other")), max_size=2)


def binding(claims: list[JsonObject]) -> JsonObject:
    given_claims = [{**claim, "state": "Accepted"} for claim in claims]
    spec = {"reference": {"export": {"path": "root:provider", "name": "west"}}, "permissionClaims": given_claims}
    return {"metadata": {"name": "west"}, "spec": spec}


@given(offer=st.none() | OFFERS, taken=HOLDERS, claims=CLAIMS)
def test_status_comes_to_rest(offer: Offer | None, taken: list[Taken], claims: list[JsonObject]) -> None:
    """Computing it again, later, from itself changes nothing: a controller never writes for ever."""
    once = status_of(binding(claims), offer, taken, NOW)
    again = status_of({**binding(claims), "status": once}, offer, taken, LATER)
    assert again == once


@given(first=OFFERS, second=st.none() | OFFERS, taken=HOLDERS)
def test_bound_once_is_bound_for_good(first: Offer, second: Offer | None, taken: list[Taken]) -> None:
    """Phase never goes back, and an export that cannot be used now takes nothing away."""
    before = status_of(binding([]), first, [], NOW)
    after = status_of({**binding([]), "status": before}, second, taken, LATER)
    if before["phase"] == "Bound":
        assert after["phase"] == "Bound"
    if second is None or not second.identity or second.missing:
        assert after.get("boundResources") == before.get("boundResources")


@given(offer=OFFERS, taken=HOLDERS)
def test_nothing_is_bound_under_a_name_that_is_held(offer: Offer, taken: list[Taken]) -> None:
    """What is bound and what is refused are all there is, and nothing bound meets a holder."""
    status = status_of(binding([]), offer, taken, NOW)
    bound = {(entry["group"], entry["resource"]) for entry in status.get("boundResources") or ()}
    free = {
        (schema.group, schema.plural)
        for schema in offer.schemas
        if not any(holder.conflict(schema) for holder in taken)
    }
    is_usable = bool(offer.identity) and not offer.missing
    assert bound == (free if is_usable else set())
    is_complete = is_usable and len(bound) == len(offer.schemas)
    assert conditions.is_true(status["conditions"], "BindingUpToDate") == is_complete
    assert (status["phase"] == "Bound") == is_complete


@given(first=OFFERS, second=OFFERS)
def test_storage_versions_only_grow(first: Offer, second: Offer) -> None:
    """Objects stored in an older version are remembered as long as their resource is bound."""
    before = status_of(binding([]), first, [], NOW)
    after = status_of({**binding([]), "status": before}, second, [], LATER)
    old = {(e["group"], e["resource"]): set(e["storageVersions"]) for e in before.get("boundResources") or ()}
    for entry in after.get("boundResources") or ():
        assert old.get((entry["group"], entry["resource"]), set()) <= set(entry["storageVersions"])
