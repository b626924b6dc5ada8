"""What a statement is called in figures and spans."""

import ast
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from core.adapters.statements import Measured, described

CORE = Path(__file__).parents[2] / "core"


@pytest.mark.parametrize(
    ("sql", "table", "operation"),
    [
        ("SELECT 1", "none", "select"),
        ("select id\nfrom Students where id = $1", "students", "select"),
        ("INSERT INTO marks (a) SELECT a FROM students ON CONFLICT DO UPDATE SET a = 1", "marks", "insert"),
        ("SELECT id FROM outbox ORDER BY position FOR UPDATE SKIP LOCKED", "outbox", "select"),
        ("UPDATE outbox SET relayed_at = NULL WHERE id IN (SELECT id FROM dead_events)", "outbox", "update"),
        ("DELETE FROM refresh_tokens WHERE expires_at < $1", "refresh_tokens", "delete"),
        ("WITH due AS (SELECT id FROM deliveries) UPDATE deliveries SET a = 1", "deliveries", "update"),
        ("WITH a AS (SELECT 1 FROM terms), b (x, y) AS (SELECT 2 FROM a) SELECT * FROM b", "terms", "select"),
        ("-- UPDATE nothing \nSELECT 1 FROM schools", "schools", "select"),
        ("SELECT 1 FROM unnest($1::uuid[]) AS given (id) JOIN deliveries USING (id)", "deliveries", "select"),
        ("CALL tenant_table('x')", "none", "call"),
        ("", "none", "none"),
    ],
)
def test_a_statement_is_named_for_what_it_touches(sql: str, table: str, operation: str) -> None:
    """The first table a statement changes names it, else the first it reads; names of its own parts don't."""
    assert described(sql) == (table, operation)


def test_every_statement_of_core_has_a_table() -> None:
    """No statement of ours goes by a name that is no table."""
    migrations = Path(__file__).parents[2] / "cluster" / "migrations"
    schema = " ".join(file.read_text().lower() for file in migrations.glob("*.sql")).replace("unlogged table", "table")
    for file in CORE.rglob("*store.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nFROM " in node.value:
                table, _ = described(node.value)
                assert f"create table {table} " in schema or table == "none", (file, table)


def test_a_statement_is_measured_also_where_it_fails() -> None:
    """Time is recorded by model and operation, for failures too."""
    labels = {"model": "terms", "operation": "select"}
    name = "schoolos_db_query_duration_seconds_count"
    before = REGISTRY.get_sample_value(name, labels) or 0
    with pytest.raises(KeyError), Measured("SELECT 1 FROM terms"):
        raise KeyError
    assert REGISTRY.get_sample_value(name, labels) == before + 1
