"""A real PostgreSQL for tests, and everything that is kept on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from benchmarks.postgresql import fresh_database, temporary_postgresql

__all__ = ["kept_in", "postgresql_server"]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with temporary_postgresql() as address:
        yield address


@pytest.fixture
def postgresql(postgresql_server: str) -> str:
    """The address of an empty database."""
    return fresh_database(postgresql_server, f"test_{uuid4().hex}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where to keep things: a SQLite file, then a PostgreSQL database."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql")
    return str(tmp_path / "kept" / "state.db")
