"""Bad configuration is refused with a message that says the fix."""

from __future__ import annotations

import pydantic
import pytest

from fairlead_control_plane.main.settings import Settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bind_address": "localhost"}, "not an IP address"),
        ({"external_url": "http://host"}, "must look like https://HOST"),
        ({"external_url": "https://host/path"}, "must look like https://HOST"),
        ({"external_url": "host:6443"}, "must look like https://HOST"),
        ({"store": "etcd"}, "needs --etcd-servers"),
        ({"etcd_servers": ("http://127.0.0.1:2379",)}, "needs --store etcd"),
        ({"secure_port": 70000}, "less than or equal to 65535"),
        ({"unknown": 1}, "Extra inputs are not permitted"),
    ],
)
def test_refuses_impossible_values(values: dict[str, object], message: str) -> None:
    """The message is what the user sees after the flag's name."""
    with pytest.raises(pydantic.ValidationError, match=message):
        Settings.model_validate(values)


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "https://127.0.0.1:1"),
        ({"bind_address": "0.0.0.0"}, "https://127.0.0.1:1"),
        ({"bind_address": "::"}, "https://[::1]:1"),
        ({"bind_address": "10.0.0.1"}, "https://10.0.0.1:1"),
        ({"external_url": "https://fairlead.example/"}, "https://fairlead.example"),
    ],
)
def test_knows_how_it_is_reached(values: dict[str, object], url: str) -> None:
    """An external URL wins; an unspecified address is no address to connect to."""
    settings = Settings.model_validate(values)
    assert settings.url(1) == url
    assert settings.local_url(1) == "https://127.0.0.1:1" or not settings.external_url


def test_certificate_names_include_the_outside() -> None:
    """Each once."""
    hosts = Settings.model_validate({"bind_address": "10.0.0.1", "external_url": "https://fairlead.example:444"}).hosts
    assert {"localhost", "127.0.0.1", "10.0.0.1", "fairlead.example"} <= set(hosts)
    assert len(hosts) == len(set(hosts))
