"""What a school may write in templates of its own: words, values and conditions, and nothing that could do harm."""

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.events.types import AttendanceMarked, FeeReminder, ReportsPublished, ScoresPublished
from core.school.model import Channel

VALUES: Mapping[str, frozenset[str]] = {
    ScoresPublished.event_type: frozenset({"school", "student", "subject", "subjects", "count", "class_arm", "term"}),
    AttendanceMarked.event_type: frozenset({"school", "student", "class_arm", "date", "status", "link"}),
    FeeReminder.event_type: frozenset({"school", "student", "fee", "amount", "due_date"}),
    ReportsPublished.event_type: frozenset({"school", "student", "term"}),
}
"""What each kind of message can tell: the names that may stand in its templates."""

LONGEST: Mapping[Channel, int] = {Channel.SMS: 480, Channel.PUSH: 400, Channel.EMAIL: 4_000}
"""Characters of a template; an SMS of more than four segments is better an email."""

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.If,
    nodes.Compare,
    nodes.Operand,
    nodes.Const,
    nodes.And,
    nodes.Or,
    nodes.Not,
)
"""No loop, call, filter, arithmetic or attribute: what a school writes ends soon and stays small."""


_DEEPEST = 30
"""Conditions in conditions; whoever renders a template has no endless stack."""


@lru_cache(maxsize=2_000)  # rules are read again with every event
def faults_of(event_type: str, channel: Channel, text: str) -> tuple[str, ...]:
    """Return what is wrong with a template, in words; nothing where it can be used."""
    known = VALUES.get(event_type)
    if known is None:
        return (f"no such kind of message; there are {', '.join(sorted(VALUES))}",)
    faults = []
    if len(text) > LONGEST[channel]:
        faults.append(f"{len(text)} characters; at most {LONGEST[channel]} fit")
    if channel is not Channel.SMS and not all(part.strip() for part in text.partition("\n")[::2]):
        faults.append("the first line is the title; the text follows below it, and neither may be empty")
    try:
        found = _environment().parse(text)
        return (*faults, *_strangers(found, known))
    except TemplateSyntaxError as error:
        return (*faults, f"line {error.lineno}: {error.message}")
    except RecursionError:
        return (*faults, "it is nested too deeply")


def _strangers(template: nodes.Template, known: frozenset[str]) -> Iterator[str]:
    if _depth(template) > _DEEPEST:
        yield "it is nested too deeply"
    if not any(isinstance(node, nodes.Name) for node in _all(template)):
        yield "no value stands in it, so that everyone would get the same; write {{ student }} where the name belongs"
    for node in _all(template):
        if not isinstance(node, _ALLOWED):
            yield f"line {node.lineno}: only words, values and conditions may stand here, no {_plainly(node)}"
        elif isinstance(node, nodes.Name) and node.name not in known:
            yield f"line {node.lineno}: there is no value {node.name}; there are {', '.join(sorted(known))}"


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)


def _depth(node: nodes.Node) -> int:
    return 1 + max((_depth(child) for child in node.iter_child_nodes()), default=0)


def _plainly(node: nodes.Node) -> str:
    return type(node).__name__.lower()


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(autoescape=False)
