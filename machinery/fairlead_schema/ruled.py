"""Which schemas have rules (``x-kubernetes-validations``), and what is found by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import Cause


@dataclass(frozen=True, slots=True)
class Outcome:
    """What rules find: causes of a refusal, and warnings about rules that what did not change breaks."""

    causes: Sequence[Cause] = ()
    warnings: Sequence[str] = ()


NOTHING = Outcome()


class TakesLong(Exception):
    """Rules that were to be run in one turn of the loop take more than that; nothing is known of them yet."""


def has_rules(schema: JsonObject | None) -> bool:
    """Tell whether a node or one below it has rules."""
    if not isinstance(schema, dict):
        return False
    if schema.get("x-kubernetes-validations"):
        return True
    below: Sequence[JsonObject | None] = [
        schema.get("items"),
        schema.get("additionalProperties"),
        *(schema.get("properties") or {}).values(),
    ]
    return any(has_rules(each) for each in below)
