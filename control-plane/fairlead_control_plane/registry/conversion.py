"""
Conversion of custom objects by the webhook their definition names.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go; the ConversionReview of
apiextensions.k8s.io/v1.
"""

from __future__ import annotations

import base64
import ssl
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import aiohttp
import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import Unclassified
from fairlead_control_plane.kinds.record import ConversionWebhook, Resource
from fairlead_control_plane.registry import egress

_GROUP = "apiextensions.k8s.io"
_TIMEOUT_S = 30
_SERVER_ERROR = 'an error on the server ("unknown") has prevented the request from succeeding'
_SAME = (("name", "name"), ("namespace", "namespace"), ("uid", "UID"))


async def converted(
    resource: Resource, objects: Sequence[JsonObject], api_version: str, *, confined: bool = True
) -> list[JsonObject]:
    """
    Return objects in another version; those that are in it already are not sent.

    Args:
        confined: See :mod:`egress`.

    Raises:
        Unclassified: The webhook could not be asked, or what it answered is no conversion of what it was sent (500).
    """
    webhook = resource.converter
    assert webhook is not None, "asked only for definitions with a webhook"
    todo = [obj for obj in objects if obj.get("apiVersion") != api_version]
    if not todo:
        return list(objects)
    head = f"conversion webhook for {_kind_of(todo[0])}"
    review = next((one for one in webhook.review_versions if one in {"v1", "v1beta1"}), "")
    if not review:
        raise Unclassified("no supported conversion review versions")
    uid = str(uuid.uuid4())
    request = {"uid": uid, "desiredAPIVersion": api_version, "objects": todo}
    body = {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{review}", "request": request}
    try:
        answer = await _post(webhook, orjson.dumps(body), confined=confined)
        found = _objects(answer, uid, review)
    except (OSError, ValueError, TimeoutError, aiohttp.ClientError) as error:
        raise Unclassified(f"{head} failed: {_text(webhook, error)}") from error
    if len(found) != len(todo):
        raise Unclassified(f"{head} returned {len(found)} objects, expected {len(todo)}")
    place = "" if len(objects) == 1 else " converted"
    made = iter(
        [
            _checked(one, new, api_version, f"{head} returned invalid{place} object at index {index}")
            for index, (one, new) in enumerate(zip(todo, found, strict=True))
        ]
    )
    return [obj if obj.get("apiVersion") == api_version else next(made) for obj in objects]


def _kind_of(obj: JsonObject) -> str:
    return f"{obj.get('apiVersion')}, Kind={obj.get('kind')}"


async def _post(webhook: ConversionWebhook, body: bytes, *, confined: bool) -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    status, raw = await egress.post(
        _address(webhook), body, headers, _trust(webhook.ca_bundle), timeout_s=_TIMEOUT_S, confined=confined
    )
    if status != 200:
        raise ValueError(_SERVER_ERROR if status >= 500 else f"status code {status}")
    return orjson.loads(raw)


def _address(webhook: ConversionWebhook) -> str:
    return f"{webhook.url}?timeout={_TIMEOUT_S}s"


@lru_cache(64)
def _trust(bundle: str) -> ssl.SSLContext:
    text = base64.b64decode(bundle).decode()
    return ssl.create_default_context(cadata=text if text.strip() else None)


def _text(webhook: ConversionWebhook, error: Exception) -> str:
    if isinstance(error, (OSError, TimeoutError, aiohttp.ClientError)):
        return f'Post "{_address(webhook)}": {str(error) or type(error).__name__}'
    return str(error)


def _objects(answer: Any, uid: str, review: str) -> list[Any]:
    """Return what a review says was converted; ``ValueError`` says what is wrong with it."""
    answer = answer if isinstance(answer, dict) else {}
    wanted = f"{_GROUP}/{review}, Kind=ConversionReview"
    if review == "v1" and _kind_of(answer) != wanted:
        raise ValueError(f"expected webhook response of {wanted}, got {_kind_of(answer)}")
    response = answer.get("response")
    if not response or not hasattr(response, "get"):
        raise ValueError("no response provided")
    if review == "v1" and response.get("uid") != uid:
        raise ValueError(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result = response.get("result") or {}
    if result.get("status") != "Success":
        status = result.get("status", "")
        raise ValueError(result.get("message") or f"response.result.status was '{status}', not 'Success'")
    found = response.get("convertedObjects") or []
    return found if isinstance(found, list) else []


def _checked(original: JsonObject, new: Any, api_version: str, head: str) -> JsonObject:
    """Return a converted object with the metadata it had; of these only labels and annotations may change."""
    if not isinstance(new, dict) or new.get("apiVersion") != api_version:
        got = new.get("apiVersion", "") if isinstance(new, dict) else ""
        raise Unclassified(f"{head}: invalid groupVersion (expected {api_version}, received {got})")
    if new.get("kind") != original["kind"]:
        raise Unclassified(f"{head}: invalid kind (expected {original['kind']}, received {new.get('kind', '')})")
    given = new.get("metadata")
    if not isinstance(given, dict):
        raise Unclassified(f"{head}: missing metadata in converted object")
    before = original["metadata"]
    for field, name in _SAME:
        if given.get(field, "") != before.get(field, ""):
            text = f"must have the same {name}: {before.get(field, '')} != {given.get(field, '')}"
            # Of a single object Kubernetes does not say here that it is the first.
            raise Unclassified(f"{head if ' converted ' in head else head.removesuffix(' at index 0')}: {text}")
    kept = {key: value for key, value in before.items() if key not in {"labels", "annotations"}}
    for field in ("labels", "annotations"):
        value = given.get(field)
        if value is None:
            continue
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise Unclassified(f"{head}: invalid metadata.{field} in converted object")
        kept[field] = value
    return {**new, "metadata": kept}
