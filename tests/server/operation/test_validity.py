"""Certificates that are about to expire: the operator hears of them once a day, until there are new ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ringback.server.operation.validity import Validity
from ringback.testing import SimulatedTimeLoop, run
from ringback.transport.tls import Contexts
from tests.transport.tls.authority import Authority

DAY = 86_400.0


def test_a_forgotten_certificate_is_told_of_daily_and_a_new_one_ends_that(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = [authority.issue("DNS:one.example", file="one", days=13), authority.issue("DNS:two.example", file="two", days=40)]

    async def scene() -> None:
        lines: list[str] = []
        contexts = Contexts(files)
        contexts.load()
        validity = Validity(contexts, lines.append)
        validity.watch()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedTimeLoop)
        loop.ends_at = 30 * DAY
        await asyncio.sleep(2.5 * DAY)
        assert len(lines) == 3
        assert all(f"{tmp_path}/one.pem: valid until 20" in line for line in lines)
        authority.issue("DNS:one.example", file="one")
        assert validity.renew(Contexts(files)) is None
        await asyncio.sleep(2.5 * DAY)
        assert len(lines) == 3
        files[0].certificate.write_text("nothing")
        fault = validity.renew(Contexts(files))
        assert lines[3:] == [f"{fault} (the certificates before it stay in force)"]
        validity.close()

    run(scene())


def test_where_there_is_no_tls_there_is_nothing_to_watch() -> None:
    async def scene() -> None:
        lines: list[str] = []
        validity = Validity(Contexts(), lines.append)
        validity.watch()
        assert validity.renew(Contexts()) is None
        validity.close()
        assert lines == []

    run(scene())
