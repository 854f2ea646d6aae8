"""What a server says when it has started."""

import pytest

from ringback.cli.announcement import announce
from ringback.server.config import DomainConfig, EdgeConfig, GatewayConfig, TrunkConfig
from tests.server.party import House, proxy, simulated


def test_modes_and_gateways_are_announced(capsys: pytest.CaptureFixture[str]) -> None:
    @simulated
    async def announced() -> None:
        async with House(
            domains=("example.org", "example.net"),
            domain={"example.net": DomainConfig(mode="redirect")},
            proxy=proxy(mode="stateless"),
            gateway={"pstn": GatewayConfig(trunks=["sip:192.0.2.7", TrunkConfig(uri="sip:192.0.2.8")], probe_seconds=0)},
        ) as house:
            announce(house.server)

    announced()
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().err.split("\n")]
    assert ["domains", "example.org, example.net (redirect)"] in lines
    assert ["gateways", "pstn (2)"] in lines
    assert ["mode", "stateless"] in lines


def test_an_edge_proxy_says_whom_it_stands_before(capsys: pytest.CaptureFixture[str]) -> None:
    @simulated
    async def announced() -> None:
        async with House(edge=EdgeConfig(registrar="sip:192.0.2.7")) as house:
            announce(house.server)

    announced()
    said = capsys.readouterr().err
    assert "  edge      all goes on to sip:192.0.2.7;lr\n" in said
    assert "no authentication" not in said
