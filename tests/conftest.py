"""What every test may ask for: a printed seed, the long form, a program of another project."""

import os
import shutil
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

DEFAULT_SEED = 3261

settings.register_profile("commit", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("commit"), max_examples=5_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ringback")
    group.addoption("--long", action="store_true", help="run the long form of the tests that have one")
    group.addoption("--seed", type=int, default=DEFAULT_SEED, help=f"seed of every random choice (default {DEFAULT_SEED})")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("long" if config.getoption("--long") else "commit")
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(config.getoption("--seed"))


def pytest_report_header(config: pytest.Config) -> str:
    return f"ringback: seed {config.getoption('--seed')} (repeat with --seed N)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="long form: ./dev test --long")
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(skip)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed printed in the header: for `random.Random(seed)` and `Network(seed=seed)`."""
    return int(request.config.getoption("--seed"))


@pytest.fixture
def long_form(request: pytest.FixtureRequest) -> bool:
    """Whether this run is `--long`: for a test that only changes its counts."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """`program("sipp")` is that program's path. A missing peer skips the test, but in CI (`CI=true`) it fails it: silence is no proof."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            message = f"{name} is not installed"
            if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find
