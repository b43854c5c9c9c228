"""
The words of the project as pure values: no input, no output, no clock.

Read in this order: :mod:`errors` (what can go wrong, and its Kubernetes ``Status``), :mod:`request`
(who asks for what), :mod:`names` (paths, hashes, downstream names), :mod:`validation` and :mod:`field_errors` (what
is wrong with a field, in Kubernetes' words), :mod:`selectors`, :mod:`quantity`, :mod:`conditions`, then :mod:`kinds`
(our own API types).
"""

from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as it came from a body or the store; leaves a parser as something narrower."""
