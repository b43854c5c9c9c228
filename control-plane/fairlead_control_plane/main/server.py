"""
The composition, bottom to top: store, kinds, authorization, registry, dispatcher, listener.

Everything is left in reverse order: the listener stops accepting and lets requests finish before what they use goes.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.auth.accounts import ServiceAccounts
from fairlead_control_plane.auth.authenticate import Authenticator, TokenTable, TokenVerifier, read_token_file
from fairlead_control_plane.auth.authorize import Authorizer
from fairlead_control_plane.auth.bootstrap import shared_policy
from fairlead_control_plane.auth.escalation import Escalation
from fairlead_control_plane.auth.policies import Policies
from fairlead_control_plane.auth.rbac import Policy
from fairlead_control_plane.auth.reviews import Reviews
from fairlead_control_plane.auth.token_request import TokenRequests
from fairlead_control_plane.auth.tokens import ServiceAccountTokens, load_key
from fairlead_control_plane.controllers.runner import Runner
from fairlead_control_plane.http.discovery import Discovery, root_paths
from fairlead_control_plane.http.dispatch import Dispatcher, Routes, Serve
from fairlead_control_plane.http.documents import Documents
from fairlead_control_plane.http.health import Check, Health, version_document
from fairlead_control_plane.http.identity import Identity
from fairlead_control_plane.http.limits import Limits
from fairlead_control_plane.http.listener import Listener
from fairlead_control_plane.http.metrics import ServerMetrics
from fairlead_control_plane.http.openapi import OpenApiDocuments
from fairlead_control_plane.http.virtual import VirtualWorkspaces
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.own import own_resources
from fairlead_control_plane.main import pki
from fairlead_control_plane.main.files import make_directory
from fairlead_control_plane.main.kubeconfigs import (
    Tokens,
    ensure_tokens,
    write_admin_kubeconfig,
    write_scheduler_kubeconfig,
)
from fairlead_control_plane.main.profiles import Built, Ground, of_profile
from fairlead_control_plane.main.readings import readings
from fairlead_control_plane.main.settings import Settings
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Locked, Store, StoreError
from fairlead_control_plane.store.opening import open_store
from fairlead_control_plane.watch.hub import Hub


class StartFailed(Exception):
    """The server cannot start; the message says why and how to mend it, in one line."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready."""

    url: str
    port: int
    kubeconfig: Path
    failures: tuple[asyncio.Task[None], ...] = ()

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for ``stop``, or raise what a component that must not end has ended with."""
        waiter = asyncio.create_task(stop.wait(), name="until-stop")
        try:
            done, _ = await asyncio.wait({waiter, *self.failures}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiter}:
                task.result()
        finally:
            waiter.cancel()


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Running]:
    """
    Run a server inside the block.

    Raises:
        StartFailed: See there.
    """
    async with AsyncExitStack() as stack:
        credentials = _credentials(settings)
        store = await _open(settings)
        stack.push_async_callback(store.close)
        yield await _compose(settings, store, credentials, stack)


@dataclass(frozen=True, slots=True)
class _Credentials:
    certificates: pki.ServerPki
    context: ssl.SSLContext
    tokens: Tokens
    accounts_key: ec.EllipticCurvePrivateKey
    static: TokenTable


def _credentials(settings: Settings) -> _Credentials:
    """Read or make keys, certificates and tokens; everything that can be wrong with a file shows here."""
    directory, workspaces = settings.root_directory, settings.profile == "workspaces"
    try:
        certificates = pki.ensure(directory, settings.hosts, datetime.now(UTC))
        tokens = ensure_tokens(directory)
        accounts_key = load_key(directory / "sa.key")
        users = tokens.users(workspaces=workspaces)
        if settings.token_auth_file is not None:
            users = {**read_token_file(settings.token_auth_file), **users}
        context = certificates.context(settings.client_ca_file)
    except OSError as error:
        raise StartFailed(f"cannot use {error.filename or directory}: {error.strerror or error}") from error
    except ValueError as error:
        raise StartFailed(str(error)) from error
    return _Credentials(certificates, context, tokens, accounts_key, TokenTable(users))


async def _open(settings: Settings) -> Store:
    """Open the store, or say what is wrong with it."""
    data = settings.root_directory / "store"
    try:
        make_directory(data)
        return await open_store(settings.store, path=data / "fairlead.db", endpoints=settings.etcd_servers)
    except Locked as error:
        raise StartFailed(f"another server uses the store in {data}; stop it first") from error
    except StoreError as error:
        raise StartFailed(f"cannot use the store: {error}") from error
    except OSError as error:
        raise StartFailed(f"cannot use {data}: {error.strerror or error}; choose another --root-directory") from error


async def _compose(settings: Settings, store: Store, credentials: _Credentials, stack: AsyncExitStack) -> Running:
    """Build everything above the store and start listening."""
    bound = _bind(settings)
    stack.callback(bound.close)
    url = settings.url(bound.getsockname()[1])
    workspaces = settings.profile == "workspaces"
    # A plain cluster has the usual roles among its objects, and what its users make of them holds.
    shared = shared_policy(workspaces=workspaces) if workspaces or settings.is_simulated else Policy()
    policies = Policies(store, shared)
    stack.callback(policies.close)
    kinds = await of_profile(settings, Ground(store, policies, credentials.certificates.ca.decode(), url))
    for close in kinds.closers:
        stack.callback(close)
    tokens = ServiceAccountTokens(credentials.accounts_key, settings.service_account_issuer, time.time)
    accounts = ServiceAccounts(store, kinds.catalog, tokens, time.time, assigned=kinds.assigned)
    stack.callback(accounts.close)
    hub = Hub(store)
    stack.callback(hub.close)
    authorizer = Authorizer(policies, workspaces=kinds.workspaces, guards=kinds.guards)
    mint = TokenRequests(accounts, time.time)
    registry = Registry(
        store,
        kinds.catalog,
        hub,
        admission=Chain([*kinds.plugins, *kinds.authorized(authorizer), Escalation(policies, authorizer)]),
        effects=kinds.effects,
        virtual_resources={
            **Reviews(authorizer, policies, accounts, [credentials.static]).handlers(),
            ("", "serviceaccounts/token"): mint,
        },
        marks_cluster=workspaces,
    )
    await kinds.begin(registry)
    parts = kinds.build(Built(registry, hub, authorizer, mint, credentials.accounts_key))
    identity = Identity(tokens, url)
    metrics = ServerMetrics([*builtin_resources("cluster"), *own_resources()])
    virtual = VirtualWorkspaces()
    documents = {
        **_documents(kinds.catalog, identity, url),
        "": root_paths(virtual.paths),
        "metrics": metrics.serve,
    }
    routes = Routes(kinds.serving(registry.serve), documents, kinds.resolve, kinds.home, virtual=virtual)
    for name, serve_virtual in parts.virtual.items():
        virtual.register(name, serve_virtual)
    verifiers: list[TokenVerifier] = [credentials.static, accounts.authenticate, *parts.verifiers]
    authenticator = Authenticator(verifiers, clock=time.time)
    health = Health({}, {"store": _store_check(store)}, version_document(is_simulated=settings.is_simulated))
    limits = Limits.for_strangers(settings.max_unauthenticated_connections)
    dispatcher = Dispatcher(authenticator, authorizer, health, routes, observe=metrics.observe)
    listener = Listener(dispatcher.handle, limits=limits)
    runner = Runner(store, hub, parts.controllers)
    metrics.read(readings(store, listener, runner, parts.agents))
    stack.push_async_callback(listener.stop, settings.grace_s)
    port = await listener.start(bound, credentials.context)
    kubeconfig = _write_kubeconfigs(settings, port, credentials)
    work = [runner.run, *parts.background]
    tasks = [await stack.enter_async_context(_background(each())) for each in work]
    return Running(url, port, kubeconfig, tuple(tasks))


def _documents(catalog: Catalog, identity: Identity, url: str) -> dict[str, Serve]:
    """Return what is served that is no resource, by first path segment."""
    discovery = Discovery(catalog, Documents())
    discovery.server_address = url.removeprefix("https://")
    return {
        "api": discovery,
        "apis": discovery,
        "openapi": OpenApiDocuments(catalog),
        ".well-known": identity,
        "openid": identity,
    }


@asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run endless work beside the server; it ends with the block."""
    task = asyncio.create_task(work, name="controllers")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


def _bind(settings: Settings) -> socket.socket:
    """Take the address early: its port is part of URLs that are stored before anybody may connect."""
    family = socket.AF_INET6 if ":" in settings.bind_address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((settings.bind_address, settings.secure_port))
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        where = f"{settings.bind_address}:{settings.secure_port}"
        fix = (
            "choose another with --secure-port (0 picks a free one)"
            if error.errno == errno.EADDRINUSE
            else "check --bind-address and --secure-port"
        )
        raise StartFailed(f"cannot listen on {where}: {os.strerror(error.errno or 0)}; {fix}") from error
    return bound


def _write_kubeconfigs(settings: Settings, port: int, credentials: _Credentials) -> Path:
    directory = settings.root_directory.absolute()
    workspaces = settings.profile == "workspaces"
    ca, tokens = credentials.certificates.ca, credentials.tokens
    try:
        write_scheduler_kubeconfig(directory, settings.local_url(port), ca, tokens)
        return write_admin_kubeconfig(directory, settings.url(port), ca, tokens, workspaces=workspaces)
    except OSError as error:
        raise StartFailed(f"cannot write kubeconfigs into {directory}: {error.strerror or error}") from error


def _store_check(store: Store) -> Check:
    async def check() -> str:
        try:
            async with asyncio.timeout(2):
                await store.current_revision()
        except (StoreError, TimeoutError) as error:
            return str(error) or "timed out"
        return ""

    return check
