"""SQL of what a school has settled about its messages."""

from core.errors import NotFound
from core.ports import Row, Transaction

_MESSAGE_RULES = """
SELECT s.name, s.time_zone, coalesce((
    SELECT jsonb_object_agg(kind, body) FROM (
        SELECT DISTINCT ON (kind) kind, body FROM policies
        WHERE school_id = s.id AND kind IN ('notification', 'message_templates') AND stage = ''
        ORDER BY kind, version DESC
    ) newest
), '{}') AS bodies
FROM schools s WHERE s.id = app_school()
"""


async def message_rules(tx: Transaction) -> Row:
    """Return name, time zone and newest policies about messages, by kind. Raises ``NotFound``."""
    row = await tx.fetchrow(_MESSAGE_RULES)
    if row is None:
        raise NotFound("there is no such school")
    return row
