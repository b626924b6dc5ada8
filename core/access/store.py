"""SQL of accounts and of logging in."""

from collections.abc import Sequence
from datetime import datetime

from core.access.model import LOCK_AFTER, LOCKED_FOR, Account, AccountChange, Login, NewAccount
from core.access.principal import Role
from core.ids import UserId
from core.ports import Row, Transaction

_COLUMNS = (
    "users.id, users.school_id, users.username, users.display_name, users.roles, users.staff_id, users.guardian_id,"
    " users.student_id, users.active, users.version, users.password_hash IS NOT NULL AS has_password"
)


def account_of(row: Row) -> Account:
    """Return a row as an account."""
    return Account(
        id=row["id"],
        school_id=row["school_id"],
        username=row["username"],
        display_name=row["display_name"],
        roles=frozenset(Role(role) for role in row["roles"]),
        staff_id=row["staff_id"],
        guardian_id=row["guardian_id"],
        student_id=row["student_id"],
        active=row["active"],
        has_password=row["has_password"],
        version=row["version"],
    )


async def find_login(tx: Transaction, school_code: str | None, username: str) -> Login | None:
    """Return the account of a user name in a school, or of platform staff where the school is None."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS}, users.password_hash, users.locked_until FROM users"
        " LEFT JOIN schools ON schools.id = users.school_id"
        " WHERE users.username = $2 AND schools.code IS NOT DISTINCT FROM $1",
        school_code,
        username,
    )
    return Login(account_of(row), row["password_hash"], row["locked_until"]) if row else None


async def record_failure(tx: Transaction, user: UserId | None, now: datetime) -> None:
    """Count a wrong password; the last one allowed locks the account. A lock that is over starts the count anew.

    None counts for nobody, in the same time.
    """
    await tx.execute(
        "UPDATE users SET failed_logins = counted.failures,"
        " locked_until = CASE WHEN counted.failures >= $3 THEN $2 + $4::interval END"
        " FROM (SELECT id, CASE WHEN locked_until <= $2 THEN 1 ELSE failed_logins + 1 END AS failures"
        "       FROM users WHERE id = $1 FOR UPDATE) AS counted"
        " WHERE users.id = counted.id",
        user,
        now,
        LOCK_AFTER,
        LOCKED_FOR,
    )


async def record_success(tx: Transaction, user: UserId, new_hash: str | None) -> None:
    """Forget the failures, and keep a stronger hash where there is one."""
    await tx.execute(
        "UPDATE users SET failed_logins = 0, locked_until = NULL, password_hash = coalesce($2::text, password_hash)"
        " WHERE id = $1 AND (failed_logins > 0 OR $2::text IS NOT NULL)",
        user,
        new_hash,
    )


async def set_password(tx: Transaction, user: UserId, password_hash: str, now: datetime) -> None:
    """Set the password and open a locked account."""
    await tx.execute(
        "UPDATE users SET password_hash = $2, failed_logins = 0, locked_until = NULL, updated_at = $3 WHERE id = $1",
        user,
        password_hash,
        now,
    )


async def read(tx: Transaction, user: UserId) -> Account | None:
    """Return an account, or None."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM users WHERE id = $1", user)
    return account_of(row) if row else None


async def read_by_subject(tx: Transaction, subject: str) -> Account | None:
    """Return the account of someone whom the identity provider knows by this subject, or None."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM users WHERE oidc_subject = $1", subject)
    return account_of(row) if row else None


async def read_school_code(tx: Transaction, user: UserId) -> str | None:
    """Return the code of the account's school, or None for platform staff."""
    code: str | None = await tx.fetchval(
        "SELECT schools.code FROM schools JOIN users ON users.school_id = schools.id WHERE users.id = $1", user
    )
    return code


async def first_admin(tx: Transaction) -> Account | None:
    """Return the longest-standing administrator of the school in scope."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM users WHERE 'school_admin' = ANY (roles) AND active ORDER BY created_at, id LIMIT 1"
    )
    return account_of(row) if row else None


async def has_platform_admin(tx: Transaction) -> bool:
    """Tell whether anybody can manage the installation; who asks at the same moment waits for this transaction."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('platform_admin'))")
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM users WHERE 'platform_admin' = ANY (roles))"))


async def list_page(
    tx: Transaction, *, role: Role | None, active: bool | None, after: str | None, limit: int
) -> Sequence[Account]:
    """Return the accounts of the school in scope, by user name."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM users WHERE ($1::text IS NULL OR $1 = ANY (roles))"
        " AND ($2::boolean IS NULL OR active = $2) AND ($3::text IS NULL OR username > $3)"
        " ORDER BY username LIMIT $4",
        role,
        active,
        after,
        limit,
    )
    return [account_of(row) for row in rows]


async def insert(tx: Transaction, new: NewAccount, now: datetime, password_hash: str | None = None) -> Account:
    """Add an account."""
    row = await tx.fetchrow(
        "INSERT INTO users (id, school_id, username, display_name, roles, staff_id, guardian_id, student_id,"
        " oidc_subject, password_hash, created_at, updated_at)"
        f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING {_COLUMNS}",
        new.id,
        new.school_id,
        new.username,
        new.display_name,
        sorted(new.roles),
        new.staff_id,
        new.guardian_id,
        new.student_id,
        new.oidc_subject,
        password_hash,
        now,
    )
    assert row is not None  # noqa: S101 - an INSERT without ON CONFLICT returns its row or raises
    return account_of(row)


async def update(tx: Transaction, user: UserId, change: AccountChange, version: int, now: datetime) -> Account | None:
    """Change an account made from this version; None where it has another by now, or there is none."""
    columns = change.columns()
    changes = "".join(f", {name} = ${at}" for at, name in enumerate(columns, start=4))
    row = await tx.fetchrow(
        f"UPDATE users SET version = version + 1, updated_at = $3{changes}"
        f" WHERE id = $1 AND version = $2 RETURNING {_COLUMNS}",
        user,
        version,
        now,
        *columns.values(),
    )
    return account_of(row) if row else None


async def unknown_people(tx: Transaction, new: NewAccount) -> Sequence[str]:
    """Return which of the records that the account speaks for are not in the school in scope."""
    row = await tx.fetchrow(
        "SELECT $1::uuid IS NULL OR EXISTS (SELECT FROM staff WHERE id = $1) AS staff,"
        " $2::uuid IS NULL OR EXISTS (SELECT FROM guardians WHERE id = $2) AS guardian,"
        " $3::uuid IS NULL OR EXISTS (SELECT FROM students WHERE id = $3) AS student",
        new.staff_id,
        new.guardian_id,
        new.student_id,
    )
    return [name for name, known in row.items() if not known] if row else []
