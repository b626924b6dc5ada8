"""The five routes that every plain record has: list, add, read, change, remove."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response, status

from core.school.records.family import Family
from core.school.records.service import Records
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.services import ServicesDep

Filters = dict[str, object]
Endpoint = Callable[..., Any]
RecordId = Annotated[UUID, Path(alias="id")]


def no_filters() -> Filters:
    """Return the filters of a list that has none."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyRoutes:
    """How one family of records stands on the wire."""

    path: str
    operation: str
    """What operation ids end in: ``ClassArm`` makes ``addClassArm``."""
    operations: str
    one: str
    """What it is called in summaries: 'a class arm'."""
    many: str
    family: Callable[[Records], Family[Any]]
    new: type[WireRequest]
    change: type[WireRequest]
    answer: type[Wire]
    filters: Callable[..., Filters] = no_filters
    """A dependency that reads the list's filters from the query."""

    def add_to(self, router: APIRouter) -> None:
        """Add the five routes to a router."""
        many, one = f"/{self.path}", f"/{self.path}/{{id}}"
        add = _adder(router)
        add("GET", many, f"list{self.operations}", f"List {self.many}", self._list())
        add("POST", many, f"add{self.operation}", f"Add {self.one}", self._add())
        add("GET", one, f"get{self.operation}", f"Read {self.one}", self._get())
        add("PATCH", one, f"change{self.operation}", f"Change {self.one}", self._change())
        add("DELETE", one, f"remove{self.operation}", f"Remove {self.one} that nothing refers to", self._remove())

    def _list(self) -> Endpoint:
        async def endpoint(
            *,
            request: Request,
            response: Response,
            caller: Caller,
            services: ServicesDep,
            page: PageParams,
            filters: Annotated[Filters, Depends(self.filters)],
        ) -> Page[Any]:
            family = self.family(services.records)
            found = await family.page(caller, after=page.after, limit=page.limit, **filters)
            shown = [self.answer.model_validate(record) for record in found]
            return page_of(request, response, shown, page, family.table.key)

        return _returning(endpoint, Page[self.answer])  # type: ignore[name-defined]  # a class known at run time

    def _add(self) -> Endpoint:
        async def endpoint(response: Response, caller: Caller, services: ServicesDep, body: WireRequest) -> Wire:
            made = await self.family(services.records).add(caller, body.model_dump(exclude_unset=True))
            set_etag(response, made.version)
            response.headers["Location"] = f"/api/school/{self.path}/{made.id}"
            return self.answer.model_validate(made)

        return _returning(endpoint, self.answer, body=self.new)

    def _get(self) -> Endpoint:
        async def endpoint(response: Response, caller: Caller, services: ServicesDep, record_id: RecordId) -> Wire:
            found = await self.family(services.records).get(caller, record_id)
            set_etag(response, found.version)
            return self.answer.model_validate(found)

        return _returning(endpoint, self.answer)

    def _change(self) -> Endpoint:
        async def endpoint(
            *,
            response: Response,
            caller: Caller,
            services: ServicesDep,
            if_match: IfMatch,
            record_id: RecordId,
            body: WireRequest,
        ) -> Wire:
            changes = body.model_dump(exclude_unset=True)
            changed = await self.family(services.records).change(caller, record_id, require_match(if_match), changes)
            set_etag(response, changed.version)
            return self.answer.model_validate(changed)

        return _returning(endpoint, self.answer, body=self.change)

    def _remove(self) -> Endpoint:
        async def endpoint(caller: Caller, services: ServicesDep, record_id: RecordId) -> None:
            await self.family(services.records).remove(caller, record_id)

        return endpoint


_STATUS = {"POST": status.HTTP_201_CREATED, "DELETE": status.HTTP_204_NO_CONTENT}


def _adder(router: APIRouter) -> Callable[[str, str, str, str, Endpoint], None]:
    def add(method: str, path: str, operation_id: str, summary: str, endpoint: Endpoint) -> None:
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            operation_id=operation_id,
            summary=summary,
            status_code=_STATUS.get(method, status.HTTP_200_OK),
            name=operation_id,
        )

    return add


def _returning(endpoint: Endpoint, answer: Any, **bodies: type[WireRequest]) -> Endpoint:
    """Tell FastAPI, which reads annotations, the classes that are only known for the family at hand."""
    endpoint.__annotations__ |= {"return": answer, **bodies}
    return endpoint
