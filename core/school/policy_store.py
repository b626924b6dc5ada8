"""The SQL of policies: rows are added, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.ids import PolicyId, SchoolId, new_id
from core.ports import Row, Transaction
from core.school.model import Policy, PolicyKind, Stage

_COLUMNS = "id, kind, stage, version, name, body, created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPolicy:
    """A policy to be added as the next version of its kind and stage."""

    kind: PolicyKind
    stage: Stage | None
    name: str
    body: Mapping[str, Any]


async def add(tx: Transaction, school_id: SchoolId, policies: Sequence[NewPolicy]) -> Sequence[Policy]:
    """Add policies, each as the next version of its kind and stage, which stands once in the list."""
    rows = await tx.fetch(
        f"""
        INSERT INTO policies (school_id, id, kind, stage, version, name, body, created_by)
        SELECT $1, new.id, new.kind, new.stage,
               1 + coalesce((SELECT max(version) FROM policies p WHERE p.kind = new.kind AND p.stage = new.stage), 0),
               new.name, new.body, app_actor()
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[]) AS new (id, kind, stage, name, body)
        RETURNING {_COLUMNS}
        """,
        school_id,
        [new_id() for _ in policies],
        [policy.kind.value for policy in policies],
        [_stage_text(policy.stage) for policy in policies],
        [policy.name for policy in policies],
        [dict(policy.body) for policy in policies],
    )
    return [_policy(row) for row in rows]


async def get(tx: Transaction, policy_id: PolicyId) -> Policy | None:
    """Return one version of a policy."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM policies WHERE id = $1", policy_id)
    return _policy(row) if row else None


async def newest(tx: Transaction) -> Sequence[Policy]:
    """Return the newest version of each kind and stage: what the school goes by now."""
    rows = await tx.fetch(
        f"SELECT DISTINCT ON (kind, stage) {_COLUMNS} FROM policies ORDER BY kind, stage, version DESC"
    )
    return [_policy(row) for row in rows]


async def in_force(tx: Transaction, kind: PolicyKind, stage: Stage | None = None) -> Policy | None:
    """Return the policy that holds for a stage: the stage's own, else the one for all; its newest version."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM policies WHERE kind = $1 AND stage IN ($2, '')"
        " ORDER BY stage DESC, version DESC LIMIT 1",
        kind.value,
        _stage_text(stage),
    )
    return _policy(row) if row else None


async def versions(
    tx: Transaction, kind: PolicyKind, stage: Stage | None, *, before: int | None, limit: int
) -> Sequence[Policy]:
    """Return the versions of one kind and stage below ``before``, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM policies WHERE kind = $1 AND stage = $2 AND ($3::int IS NULL OR version < $3)"
        " ORDER BY version DESC LIMIT $4",
        kind.value,
        _stage_text(stage),
        before,
        limit,
    )
    return [_policy(row) for row in rows]


def _stage_text(stage: Stage | None) -> str:
    return stage.value if stage else ""


def _policy(row: Row) -> Policy:
    created_at: datetime = row["created_at"]
    return Policy(
        id=PolicyId(row["id"]),
        kind=PolicyKind(row["kind"]),
        stage=Stage(row["stage"]) if row["stage"] else None,
        version=row["version"],
        name=row["name"],
        body=row["body"],
        created_at=created_at,
    )
