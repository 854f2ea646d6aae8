"""Registrars for the tests beside this file: one with the defaults, one that takes any Contact."""

import pytest

from tests.server.registering import House, house


@pytest.fixture
def strict() -> House:
    return house()


@pytest.fixture
def free() -> House:
    """Contacts may be anywhere, as they may once somebody authenticates."""
    return house(foreign_contacts=True)
