"""Routes of the words of messages: which hold, and how they will read. Settling them is adding a policy."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from core.notifications.message_templates import Draft
from core.notifications.model import Channel
from core.notifications.preferences import CHANNELS
from core.notifications.sms.segments import Encoding
from core.school.model import Channel as PersonalChannel
from core.school.model import Language
from core.school.wording import LONGEST
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/notifications/templates", tags=["notifications"], responses=PROBLEMS)


class TemplateItem(Wire):
    """The words of one kind of message by one channel in one language."""

    event_type: str
    channel: Channel
    language: Language
    text: str
    own: bool = Field(description="Whether they are the school's own; else they came with the system.")
    translated: bool = Field(description="False where there is no translation and English is used.")


class TemplateList(Wire):
    """Every template that holds."""

    items: list[TemplateItem]


class DraftIn(WireRequest):
    """Words that are not settled yet."""

    channel: PersonalChannel
    language: Language = Language.EN
    text: str = Field(min_length=1, max_length=max(LONGEST.values()))


class PreviewIn(WireRequest):
    """What to read."""

    event_type: Annotated[str, Field(max_length=50, examples=["scores.published"])]
    channel: Annotated[PersonalChannel | None, Field(description="Left out for every channel.")] = None
    language: Annotated[Language | None, Field(description="Left out for every language.")] = None
    several: Annotated[bool, Field(description="As the digest of two children and twelve subjects.")] = False
    draft: Annotated[DraftIn | None, Field(description="To be read in place of the words that hold.")] = None


class PreviewItem(Wire):
    """How a message will read."""

    channel: Channel
    language: Language
    title: str
    body: str
    encoding: Encoding | None = Field(description="Of an SMS.")
    segments: int | None = Field(description="Of an SMS.")


class PreviewList(Wire):
    """How a message will read by each channel and in each language."""

    items: list[PreviewItem]


@router.get("", operation_id="listMessageTemplates", summary="The words of the school's messages")
async def list_templates(services: ServicesDep, caller: Caller) -> TemplateList:
    """Return the template of every kind of message, channel and language. Needs `notifications:manage`.

    A school's own words are the policy `message_templates`; add a version of it to change them.
    """
    found = await services.notifications.templates.all(caller)
    return TemplateList(items=[TemplateItem.model_validate(each) for each in found])


@router.post("/preview", operation_id="previewMessageTemplates", summary="How a message will read")
async def preview_templates(services: ServicesDep, caller: Caller, body: PreviewIn) -> PreviewList:
    """Write a kind of message with made-up values by each channel and language. Needs `notifications:manage`."""
    draft = Draft(Channel(body.draft.channel), body.draft.language, body.draft.text) if body.draft else None
    found = await services.notifications.templates.preview(
        caller,
        event_type=body.event_type,
        channels=(Channel(body.channel),) if body.channel else CHANNELS,
        languages=(body.language,) if body.language else tuple(Language),
        several=body.several,
        draft=draft,
    )
    return PreviewList(items=[PreviewItem.model_validate(each) for each in found])
