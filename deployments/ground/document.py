"""The one OpenAPI 3.1 document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from deployments.ground.problem import Problem

_DESCRIPTION = (
    "Records, marks, attendance, fees and messages of a school. Errors are problem details (RFC 9457), lists are pages "
    "by cursor, long work is a job. The school is the token's: another school's ids answer 404."
)
_TAGS = {
    "operations": "Health, version and figures.",
    "access": "Logging in, accounts and invitations.",
    "attendance": "Daily registers.",
    "fees": "Fees, payments and reminders.",
    "files": "Files by signed links.",
    "imports": "Setting a school up from its own spreadsheets.",
    "marks": "Mark sheets: filled in, uploaded, approved, published.",
    "providers": "Where providers of mail and SMS post their receipts, each known by its signature or its path.",
    "notifications": "The bell, preferences, and the trail of every message.",
    "people": "Students, guardians and staff.",
    "platform": "Schools of this installation.",
    "report cards": "Report cards: ratings, remarks, pre-flight, finalising, style, and whether one is genuine.",
    "policies": "Assessment, grading, approval and reminders, as versioned data.",
    "jobs": "Long work: state, progress and cancelling.",
    "school": "The school, its sessions, terms, levels and class arms.",
    "timetables": "Timetables: searched for, explained, checked, swapped, repaired, published.",
    "teaching": "Who teaches what to whom.",
    "webhooks": "Other systems that hear of the school's events (Standard Webhooks).",
}
_BODY_ONLY = frozenset({"400", "409", "412", "413", "415", "428"})
"""What only a request that changes something can be answered."""


def describe(app: FastAPI) -> None:
    """Make the app's document whole: descriptions of tags, the problem's schema, and only statuses that can happen."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents this way to extend it


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(
        by_alias=True, ref_template="#/components/schemas/{model}", mode="serialization"
    )
    schemas |= problem.pop("$defs") | {"Problem": problem}
    used = {tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]}
    document["tags"] = [{"name": tag, "description": _TAGS.get(tag, "")} for tag in sorted(used)]
    for path in document["paths"].values():
        for method, operation in path.items():
            _keep_possible(method, operation)
    return document


def _keep_possible(method: str, operation: dict[str, Any]) -> None:
    """Drop problems that an operation can't answer, so that readers see what to handle."""
    responses = operation["responses"]
    never = set(_BODY_ONLY) if method == "get" else set()
    if "security" not in operation:
        never |= {"403"}
    for status in never:
        if "application/problem+json" in responses.get(status, {}).get("content", {}):
            del responses[status]
