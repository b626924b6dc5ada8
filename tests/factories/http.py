"""A client of the whole HTTP application, in process, with real services."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from cluster.settings import AuthSettings, DatabaseSettings, Settings
from cluster.wiring import app_options, make_tokens, open_services
from core.access.keys import generate
from core.access.principal import Principal, Role, Scope, scopes_of
from core.clock import Clock, SystemClock
from core.ids import GuardianId, SchoolId, StaffId, StudentId, UserId
from deployments.app import build_app

SIGNING_KEY = generate()
"""The key of this test run."""


def settings_for(database_url: str, state_dir: Path, **groups: Any) -> Settings:
    """Return settings on the test database; ``groups`` are further ones, such as ``http=HttpSettings(...)``."""
    auth = groups.pop("auth", AuthSettings())
    return Settings(
        state_dir=state_dir,
        database=DatabaseSettings(url=SecretStr(database_url)),
        auth=auth.model_copy(update={"signing_key": SecretStr(SIGNING_KEY)}),
        **groups,
    )


@asynccontextmanager
async def running_app(settings: Settings, clock: Clock | None = None, **options: Any) -> AsyncIterator[FastAPI]:
    """Run the application in this process; ``options`` replace those of the settings."""
    app = build_app(partial(open_services, settings, clock), options=replace(app_options(settings), **options))
    async with app.router.lifespan_context(app):
        yield app


@asynccontextmanager
async def make_client(
    settings: Settings, clock: Clock | None = None, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the application. Hand ``headers=bearer(principal)`` in to a request to be someone."""
    async with running_app(settings, clock, **options) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://schoolos.test") as client:
            yield client


def token_for(principal: Principal, settings: Settings | None = None, clock: Clock | None = None) -> str:
    """Return an access token that speaks for the principal."""
    settings = settings or Settings(auth=AuthSettings(signing_key=SecretStr(SIGNING_KEY)))
    return make_tokens(settings, clock or SystemClock()).issue(principal).token


def bearer(principal: Principal, settings: Settings | None = None, clock: Clock | None = None) -> dict[str, str]:
    """Return the header of a request that the principal makes."""
    return {"Authorization": f"Bearer {token_for(principal, settings, clock)}"}


def make_principal(
    school_id: SchoolId | None,
    *roles: Role,
    user_id: UserId | None = None,
    scopes: Collection[Scope] | None = None,
    staff_id: StaffId | None = None,
    guardian_id: GuardianId | None = None,
    student_id: StudentId | None = None,
) -> Principal:
    """Return someone with these roles and everything they allow, or with fewer scopes."""
    held = frozenset(roles)
    return Principal(
        user_id=user_id or UserId(uuid4()),
        school_id=school_id,
        roles=held,
        scopes=scopes_of(held) if scopes is None else frozenset(scopes),
        staff_id=staff_id,
        guardian_id=guardian_id,
        student_id=student_id,
    )
