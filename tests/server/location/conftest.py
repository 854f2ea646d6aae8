"""A store in a folder of its own, and clocks that stand still."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.server.store import Store
from tests.server.location.bindings import Clocks


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr("ringback.server.store.BUSY_TIMEOUT", 0.05)
    store = Store(tmp_path)
    yield store
    store.close()
