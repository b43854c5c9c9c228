"""
What a CustomResourceDefinition may say of conversion between its versions.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go
(validateCustomResourceConversion), k8s.io/apiserver/pkg/util/webhook/validation.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause

_PATH = "spec.conversion"
_CLIENT = f"{_PATH}.webhookClientConfig"
_REVIEWS = f"{_PATH}.conversionReviewVersions"
_STRATEGIES = ("None", "Webhook")
_KNOWN_REVIEWS = ("v1", "v1beta1")
_FORM = "; desired format: https://host[/path]"
_LAST_PORT = 65535


def problems(conversion: JsonObject) -> list[Cause]:
    """Return what is wrong with ``spec.conversion``, by the names of Kubernetes' internal version."""
    strategy, webhook = conversion.get("strategy"), conversion.get("webhook") or {}
    client, reviews = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or ()
    if strategy != "Webhook":
        causes = [] if strategy == "None" else [wrong.not_supported(f"{_PATH}.strategy", strategy or "", _STRATEGIES)]
        text = "should not be set when strategy is not set to Webhook"
        causes += [wrong.forbidden(_CLIENT, text)] if client is not None else []
        return causes + ([wrong.forbidden(_REVIEWS, text)] if reviews else [])
    if client is None:
        return [wrong.required(_CLIENT, "required when strategy is set to Webhook"), *_reviews(reviews)]
    return _client(client) + _reviews(reviews)


def _client(client: JsonObject) -> list[Cause]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [wrong.required(_CLIENT, "exactly one of url or service is required")]
    return service_problems(service, f"{_CLIENT}.service") if url is None else url_problems(url, f"{_CLIENT}.url")


def url_problems(url: str, path: str) -> list[Cause]:
    """Return what is wrong with the address of a webhook."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [wrong.required(path, f"url must be a valid URL: {error}{_FORM}")]
    causes: list[Cause] = []
    if parts.scheme != "https":
        causes.append(wrong.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    user, at, host = parts.netloc.rpartition("@")
    if not host:
        causes.append(wrong.invalid(path, host, f"host must be specified{_FORM}"))
    if at:
        causes.append(wrong.invalid(path, user, "user information is not permitted in the URL"))
    if parts.fragment:
        causes.append(wrong.invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        causes.append(wrong.invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return causes


def service_problems(service: JsonObject | None, path: str) -> list[Cause]:
    """Return what is wrong with the Service of a webhook; Kubernetes takes its name for its namespace."""
    service = service or {}
    mixed_up = (("name", "namespace"), ("namespace", "name"))
    causes = [wrong.required(f"{path}.{shown}") for shown, field in mixed_up if not service.get(field)]
    port = service.get("port", 0)
    if not 1 <= port <= _LAST_PORT:
        text = f"port is not valid: must be between 1 and {_LAST_PORT}, inclusive"
        causes.append(wrong.invalid(f"{path}.port", port, text))
    return causes + _service_path(service.get("path") or "", f"{path}.path")


def _service_path(text: str, path: str) -> list[Cause]:
    if text in {"", "/"}:
        return []
    if text == "//":
        return [wrong.invalid(path, text, "segment[0] may not be empty")]
    causes = [] if text.startswith("/") else [wrong.invalid(path, text, "must start with a '/'")]
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        if not step:
            causes.append(wrong.invalid(path, text, f"segment[{index}] may not be empty"))
            continue
        messages = validation.dns1123_subdomain(step)
        causes += [wrong.invalid(path, text, f"segment[{index}]: {message}") for message in messages]
    return causes


def _reviews(versions: Sequence[str]) -> list[Cause]:
    if not versions:
        return [wrong.required(_REVIEWS)]
    causes: list[Cause] = []
    for index, version in enumerate(versions):
        at = f"{_REVIEWS}[{index}]"
        if version in versions[:index]:
            causes.append(wrong.invalid(at, version, "duplicate version"))
        else:
            causes += [wrong.invalid(at, version, message) for message in validation.dns1035_label(version)]
    if not set(versions) & set(_KNOWN_REVIEWS):
        text = f"must include at least one of {', '.join(_KNOWN_REVIEWS)}"
        causes.append(wrong.invalid(_REVIEWS, list(versions), text))
    return causes
