"""The words of a school's messages: what they are, whose they are, and how they will read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from core.access.principal import Principal, Scope
from core.errors import Fault, InvalidInput
from core.events.types import ReportsPublished, ScoresPublished
from core.notifications.message_rules import MessageRules, message_rules
from core.notifications.model import Channel
from core.notifications.preferences import CHANNELS, EVENT_TYPES
from core.notifications.rendering import Templates
from core.notifications.sms.cleaning import cleaned
from core.notifications.sms.pricing import SmsRules
from core.notifications.sms.segments import Encoding, size_of
from core.notifications.spend_plan import school_sms
from core.ports import Database
from core.school.model import Channel as SchoolChannel
from core.school.model import Language
from core.school.wording import VALUES, faults_of

_NAMES: Mapping[Language, tuple[str, str]] = {
    Language.EN: ("Oluwaseun", "Temitope"),
    Language.PCM: ("Oluwaseun", "Temitope"),
    Language.YO: ("Olúwáṣeun", "Tèmítọ́pẹ́"),
    Language.HA: ("Muhammad", "Aisha"),
    Language.IG: ("Chịdịebere", "Ngọzi"),
}
_SUBJECTS = (
    "Agricultural Science", "Basic Science", "Basic Technology", "Business Studies", "Civic Education",
    "Computer Studies", "English Language", "French", "Home Economics", "Mathematics", "Social Studies", "Yoruba",
)  # fmt: skip
_SAMPLE: Mapping[str, str] = {
    "class_arm": "JSS 2 Ruby",
    "term": "First Term 2027/2028",
    "date": "13/09/2027",
    "status": "absent",
    "fee": "School fees",
    "amount": "NGN 45,000.00",
    "due_date": "30/09/2027",
}


@dataclass(frozen=True, slots=True)
class TemplateRecord:
    """The words of one kind of message by one channel in one language."""

    event_type: str
    channel: Channel
    language: Language
    text: str
    own: bool
    """Whether they are the school's own; else they came with the system."""
    translated: bool
    """False where there is no translation and English is used."""


@dataclass(frozen=True, slots=True)
class Preview:
    """How a message will read."""

    channel: Channel
    language: Language
    title: str
    body: str
    encoding: Encoding | None
    """Of an SMS: how it is put on the air, and in how many segments."""
    segments: int | None


@dataclass(frozen=True, slots=True)
class Draft:
    """Words that are not settled yet, in place of those that hold."""

    channel: Channel
    language: Language
    text: str


class MessageTemplates:
    """The use cases of those who answer for a school's messages. Settling words is adding a policy."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._templates = Templates()

    async def all(self, principal: Principal) -> list[TemplateRecord]:
        """Return the words that hold for every kind of message, channel and language."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            rules = await message_rules(tx)
        return [
            self._record(rules, event_type, channel, language)
            for event_type, channel, language in product(EVENT_TYPES, CHANNELS, Language)
        ]

    async def preview(
        self,
        principal: Principal,
        *,
        event_type: str,
        channels: Sequence[Channel] = CHANNELS,
        languages: Sequence[Language] = tuple(Language),
        several: bool = False,
        draft: Draft | None = None,
    ) -> list[Preview]:
        """Return how a kind of message will read, with made-up values. Raises ``InvalidInput``.

        ``several``: as the digest of two children and twelve subjects. A draft is read by its own channel and language.
        """
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        _check(event_type, draft)
        if draft:
            channels, languages = (draft.channel,), (draft.language,)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            rules, sms = await message_rules(tx), (await school_sms(tx)).rules
        return [
            self._preview(sms, event_type, channel, language, _content(rules, event_type, language, several, draft))
            for channel, language in product(channels, languages)
        ]

    def _record(self, rules: MessageRules, event_type: str, channel: Channel, language: Language) -> TemplateRecord:
        own = rules.words_for(event_type).get(language, {}).get(channel)
        text, written_in = self._templates.source(event_type, channel, language)
        translated = own is not None or written_in == language
        return TemplateRecord(event_type, channel, language, own or text, own is not None, translated)

    def _preview(
        self, sms: SmsRules, event_type: str, channel: Channel, language: Language, content: Mapping[str, Any]
    ) -> Preview:
        text = self._templates.render(event_type, channel, language, content)
        if channel is not Channel.SMS:
            return Preview(channel, language, text.title, text.body, None, None)
        body = cleaned(text.body, keep_letters=sms.keeps_letters(language))
        size = size_of(body)
        return Preview(channel, language, "", body, size.encoding, size.segments)


def _check(event_type: str, draft: Draft | None) -> None:
    if event_type not in VALUES:
        what = f"no such kind of message; there are {', '.join(sorted(VALUES))}"
        raise InvalidInput(what, [Fault("/eventType", what, "unknown")])
    faults = faults_of(event_type, SchoolChannel(draft.channel), draft.text) if draft else ()
    if faults:
        raise InvalidInput("the draft can't be used", [Fault("/draft/text", each, "template") for each in faults])


def _content(
    rules: MessageRules, event_type: str, language: Language, several: bool, draft: Draft | None
) -> Mapping[str, Any]:
    words = {draft.channel: draft.text} if draft else rules.words_for(event_type).get(language, {})
    values = {name: value for name, value in _SAMPLE.items() if name in VALUES[event_type]}
    first, second = _NAMES[language]
    content: dict[str, Any] = {**values, "school": rules.school_name, "student": first, "templates": words}
    if event_type == ScoresPublished.event_type:
        content |= {"subject": _SUBJECTS[9]}
        if several:
            told = [*((first, subject) for subject in _SUBJECTS), *((second, subject) for subject in _SUBJECTS[:2])]
            content |= {"results": dict(_results(content, told))}
    elif event_type == ReportsPublished.event_type and several:
        content |= {"results": {name: {**content, "student": name} for name in (first, second)}}
    return content


def _results(content: Mapping[str, Any], told: Sequence[tuple[str, str]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, (student, subject) in enumerate(told):
        yield f"{student}:{number}", {**content, "student": student, "subject": subject}
