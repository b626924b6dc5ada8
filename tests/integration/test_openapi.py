"""The one OpenAPI document, and whether it says everything a caller needs."""

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.factories.http import make_client, settings_for

_OPEN = {"logIn", "refresh", "logOut", "activate", "jwks", "livez", "readyz", "version", "getFile"} | {
    "followTimetableCalendar",  # its address is the key
    "verifyCard",  # whoever holds a card may ask; by address it is limited
    "postTwilioReceipt",  # known by its signature
    "postSesReceipt",  # known by its signature
    "postAfricasTalkingReceipt",  # known by the secret in its path
}
"""Operations that may be called without a token."""


@pytest.fixture(scope="module")
async def document(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document as a caller gets it."""
    state: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, state)) as client:
        found: dict[str, Any] = (await client.get("/openapi.json")).json()
        return found


@pytest.fixture
def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each operation with its method and path."""
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    """An independent validator accepts it."""
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_is_named_and_told(operations: list[tuple[str, dict[str, Any]]]) -> None:
    """Each has a unique operation id, a summary, a tag, and a JSON or stated answer."""
    names = [operation["operationId"] for _, operation in operations]
    assert len(names) == len(set(names))
    for place, operation in operations:
        assert operation.get("summary"), place
        assert operation.get("tags"), place
        assert "_" not in operation["operationId"], f"{place}: operation ids are camelCase, made by hand"


def test_every_api_operation_declares_its_problems(operations: list[tuple[str, dict[str, Any]]]) -> None:
    """Each route under /api says that it may answer problems, and in which media type."""
    for place, operation in operations:
        if " /api/" not in place:
            continue
        problems = [
            status
            for status, answer in operation["responses"].items()
            if "application/problem+json" in answer.get("content", {})
        ]
        assert {"422", "429", "500", "503"} <= set(problems), place


def test_every_tag_has_a_description(document: dict[str, Any]) -> None:
    """A reader learns what each group of operations is about."""
    assert [tag["name"] for tag in document["tags"] if not tag["description"]] == []


def test_what_needs_a_token_says_so(operations: list[tuple[str, dict[str, Any]]]) -> None:
    """Every operation declares the bearer scheme but the few that let people in or watch the process."""
    is_open = {operation["operationId"] for _, operation in operations if "security" not in operation}
    assert is_open - _OPEN == set()
