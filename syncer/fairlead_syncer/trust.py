"""
Credentials that are replaced under a running agent (fault F35): kubeconfigs and certificates are read again.

A new CA is used for the next connection; what is open goes on. What has expired is an alarm in the log and on the
SyncTarget, and never a reason to delete anything: an agent that hears nothing does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from fairlead_machinery.client import Client
from fairlead_machinery.kubeconfig import Credentials, KubeconfigError

_EVERY_S = 10.0
_log = structlog.get_logger(__name__)

Reload = Callable[[], Credentials]
"""Reads credentials from where they came; slow and blocking."""


async def follow(name: str, client: Client, reload: Reload | None) -> None:
    """Keep a client's CA and certificate those of their files, for ever."""
    known = await _read(name, reload)
    while True:
        await asyncio.sleep(_EVERY_S)
        found = await _read(name, reload)
        if found is None or found == known:
            continue
        known = found
        old = client.credentials
        renewed = replace(old, ca=found.ca, certificate=found.certificate, key=found.key)
        if renewed == old:
            continue
        try:
            await client.transport.replace(renewed)
        except OSError as error:  # ssl.SSLError is one
            _log.error("the new credentials cannot be used; the old ones are", of=name, error=str(error))
        else:
            _log.info("credentials were read again", of=name)


async def _read(name: str, reload: Reload | None) -> Credentials | None:
    if reload is None:
        return None
    try:
        return await asyncio.to_thread(reload)
    except (KubeconfigError, OSError, ValueError) as error:
        _log.warning("credentials cannot be read again; the old ones are used", of=name, error=str(error))
        return None
