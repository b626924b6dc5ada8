"""Routes of policies: what holds, what held, a new version."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from core.ids import PolicyId
from core.school.model import PolicyKind, Stage
from deployments.ground.etags import set_etag
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.school_family import RecordId
from deployments.school_fields import Line
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/school", tags=["policies"], responses=PROBLEMS)


class PolicyIn(WireRequest):
    """The next version of a policy."""

    kind: PolicyKind
    stage: Annotated[Stage | None, Field(description="Null where it holds for every stage that has none.")] = None
    name: Line
    body: Annotated[dict[str, Any], Field(description="What the kind of policy says.")]


class PolicyOut(Wire):
    """One version of a policy; it never changes."""

    id: UUID
    kind: PolicyKind
    stage: Stage | None
    version: int
    name: str
    body: dict[str, Any]
    created_at: datetime


@router.get("/policies", operation_id="listPolicies", summary="List the policies the school goes by")
async def list_policies(caller: Caller, services: ServicesDep) -> list[PolicyOut]:
    """Return the newest version of each kind and stage."""
    return [PolicyOut.model_validate(policy) for policy in await services.records.policies.newest(caller)]


@router.post(
    "/policies",
    operation_id="addPolicy",
    summary="Add the next version of a policy",
    status_code=status.HTTP_201_CREATED,
)
async def add_policy(caller: Caller, services: ServicesDep, response: Response, body: PolicyIn) -> PolicyOut:
    """Add a version; mark sheets that are open keep the one they were opened with."""
    policy = await services.records.policies.add(
        caller, kind=body.kind, stage=body.stage, name=body.name, body=body.body
    )
    response.headers["Location"] = f"/api/school/policies/{policy.id}"
    return PolicyOut.model_validate(policy)


@router.get("/policies/{kind}/versions", operation_id="listPolicyVersions", summary="List versions, newest first")
async def list_versions(
    *,
    request: Request,
    response: Response,
    caller: Caller,
    services: ServicesDep,
    page: PageParams,
    kind: PolicyKind,
    stage: Annotated[Stage | None, Query(description="Left out for the one that holds for all.")] = None,
) -> Page[PolicyOut]:
    """Return a page of the versions of one kind and stage."""
    found = await services.records.policies.versions(caller, kind, stage, after=page.after, limit=page.limit)
    shown = [PolicyOut.model_validate(policy) for policy in found]
    return page_of(request, response, shown, page, lambda policy: (policy.version,))


@router.get("/policies/{id}", operation_id="getPolicy", summary="Read one version of a policy")
async def get_policy(caller: Caller, services: ServicesDep, response: Response, record_id: RecordId) -> PolicyOut:
    """Return one version of a policy."""
    policy = await services.records.policies.get(caller, PolicyId(record_id))
    set_etag(response, policy.version)
    return PolicyOut.model_validate(policy)
