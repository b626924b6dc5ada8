"""Use cases of policies: read what holds, read what held, add a version. None is ever changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Fault, InvalidInput, NotFound
from core.ids import PolicyId
from core.ports import Database
from core.school import policy_store
from core.school.model import Policy, PolicyKind, Stage
from core.school.policies import as_body, parse_policy
from core.school.policy_store import NewPolicy
from core.school.records.table import Keys
from core.school.records.values import cleaned


class Policies:
    """The school's policies. Everyone of the school may read them: grades are explained by them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def newest(self, principal: Principal) -> Sequence[Policy]:
        """Return what the school goes by now: the newest version of each kind and stage."""
        principal.require(Scope.RECORDS_READ, Scope.OWN_READ)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await policy_store.newest(tx)

    async def get(self, principal: Principal, policy_id: PolicyId) -> Policy:
        """Return one version of a policy."""
        principal.require(Scope.RECORDS_READ, Scope.OWN_READ)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            policy = await policy_store.get(tx, policy_id)
        if policy is None:
            raise NotFound("there is no such policy")
        return policy

    async def versions(
        self,
        principal: Principal,
        kind: PolicyKind,
        stage: Stage | None = None,
        *,
        after: Keys | None = None,
        limit: int = 50,
    ) -> Sequence[Policy]:
        """Return up to ``limit + 1`` versions of one kind and stage, newest first."""
        principal.require(Scope.RECORDS_READ, Scope.OWN_READ)
        if after is not None and [type(key) for key in after] != [int]:
            raise InvalidInput("the cursor belongs to another list", [Fault("/query/cursor", "use it unchanged")])
        before = after[0] if after else None
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await policy_store.versions(tx, kind, stage, before=before, limit=limit + 1)

    async def add(
        self, principal: Principal, *, kind: PolicyKind, stage: Stage | None, name: str, body: Mapping[str, Any]
    ) -> Policy:
        """Add the next version of a kind and stage. Sheets that are open keep the version they were opened with."""
        principal.require(Scope.POLICIES_WRITE)
        checked = as_body(parse_policy(kind, body))
        new = NewPolicy(kind=kind, stage=stage, name=cleaned({"name": name})["name"], body=checked)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            return (await policy_store.add(tx, principal.school, [new]))[0]
