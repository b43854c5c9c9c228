"""Where Fairlead may answer a request otherwise than Kubernetes does: every difference, with its reason."""

from __future__ import annotations

REQUESTS: dict[str, str] = {
    "forms: GET {ns}/configmaps?watch=1&timeoutSeconds=1 application/yaml": "What is refused is told in JSON.",
}
"""``scenario: request`` to the reason why its answers are not compared."""
