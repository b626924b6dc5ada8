"""What a school has settled about its messages: when they leave, and in which words."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.notifications import rules_store
from core.notifications.quiet_hours import AT_ONCE
from core.ports import Transaction
from core.school.model import PolicyKind
from core.school.policies import MessageTemplate, MessageTemplatesPolicy, NotificationPolicy, parse_policy


@dataclass(frozen=True, slots=True)
class MessageRules:
    """A school's rules as they hold now."""

    school_name: str
    zone: str
    policy: NotificationPolicy = AT_ONCE
    templates: tuple[MessageTemplate, ...] = ()

    def words_for(self, event_type: str) -> Mapping[str, Mapping[str, str]]:
        """Return the school's own templates for a kind of message: language -> channel -> text."""
        words: dict[str, dict[str, str]] = {}
        for each in self.templates:
            if each.event_type == event_type:
                words.setdefault(each.language, {})[each.channel] = each.text
        return words


async def message_rules(tx: Transaction) -> MessageRules:
    """Return the rules of the transaction's school. Raises ``NotFound``."""
    row = await rules_store.message_rules(tx)
    bodies = row["bodies"]
    policy, templates = (
        parse_policy(kind, bodies[kind]) if kind in bodies else None
        for kind in (PolicyKind.NOTIFICATION, PolicyKind.MESSAGE_TEMPLATES)
    )
    return MessageRules(
        row["name"],
        row["time_zone"],
        policy if isinstance(policy, NotificationPolicy) else AT_ONCE,
        templates.templates if isinstance(templates, MessageTemplatesPolicy) else (),
    )
