"""The configuration read again while the server runs: what changes at once, what waits for a restart, what a fault leaves as it was."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ringback.server.config import (
    AccessConfig,
    Config,
    ConfigError,
    DomainConfig,
    DrainConfig,
    GatewayConfig,
    LimitsConfig,
    LogConfig,
    ProxyConfig,
    RegistrarConfig,
    RelayConfig,
    RouteConfig,
)
from ringback.server.config.file import read_config
from ringback.server.operation import logs
from ringback.server.operation.reload import CHANGEABLE, EXCEPTED, Reloaded, merged
from ringback.server.proxy.routing import Forward
from tests.architecture.tree import ROOT
from tests.server.party import DOMAIN, House, Party, simulated
from tests.server.proving import guarded, guest, register


def rewritten(house: House, **values: Any) -> Reloaded:
    """Reloads with these values in place of what the server was started with."""
    config = msgspec.structs.replace(house.server.config, **values)
    house.server.reread = lambda: config
    return house.server.reload()


def test_every_name_that_can_change_is_a_key_or_a_table() -> None:
    tables = {name: getattr(Config(), name) for name in Config.__struct_fields__}
    for name in CHANGEABLE:
        table, _, key = name.partition(".")
        assert table in tables
        assert not key or key in tables[table].__struct_fields__


def test_what_can_change_is_taken_and_the_rest_is_named() -> None:
    old = Config(limits=LimitsConfig(transactions=100), proxy=ProxyConfig(timer_c=200.0))
    new = Config(
        auth="none",
        domains=["example.org"],
        listen=["udp://127.0.0.1"],
        limits=LimitsConfig(transactions=200, uri_bytes=100),
        proxy=ProxyConfig(timer_c=300.0, max_branches=3),
        registrar=RegistrarConfig(max_contacts=2, foreign_contacts=True),
    )
    config, reloaded = merged(old, new)
    assert reloaded == Reloaded(
        ("domains", "registrar.max_contacts", "proxy.max_branches", "limits.transactions"),
        ("listen", "auth", "registrar.foreign_contacts", "proxy.timer_c", "limits.uri_bytes"),
    )
    expected = Config(
        domains=["example.org"],
        limits=LimitsConfig(transactions=200),
        proxy=ProxyConfig(timer_c=200.0, max_branches=3),
        registrar=RegistrarConfig(max_contacts=2),
    )
    assert config == expected
    assert merged(config, new)[1] == Reloaded((), reloaded.needs_restart), "what waits for a restart is named again"
    assert merged(old, old)[1] == Reloaded()


@simulated
async def test_domains_and_aliases() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)
        alice.ask("MESSAGE", "sip:bob@example.org")
        await alice.hears("403 MESSAGE")
        alice.ask("MESSAGE", f"sip:support@{DOMAIN}")
        await alice.hears("404 MESSAGE")
        reloaded = rewritten(house, domains=[DOMAIN, "example.org"], aliases={"support": f"sip:bob@{DOMAIN}"})
        assert reloaded == Reloaded(("domains", "aliases"))
        alice.ask("MESSAGE", "sip:bob@example.org")
        await alice.hears("404 MESSAGE")
        alice.ask("MESSAGE", f"sip:support@{DOMAIN}")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_modes_and_gateways() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)
        reloaded = rewritten(house, domain={DOMAIN: DomainConfig(mode="redirect")})
        assert reloaded == Reloaded(("domain",))
        alice.ask("MESSAGE")
        await alice.hears("302 MESSAGE")
        reloaded = rewritten(house, domain={}, proxy=ProxyConfig(mode="stateless"))
        assert reloaded == Reloaded(("domain", "proxy.mode"))
        alice.ask("MESSAGE")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")
        assert not house.server.core.layer.servers
        trunk = GatewayConfig(trunks=["sip:192.0.2.2"], probe_seconds=0)
        reloaded = rewritten(house, gateway={"pstn": trunk}, route=[RouteConfig(prefix="0", gateway="pstn")])
        assert reloaded == Reloaded(("gateway", "route"))
        alice.ask("MESSAGE", f"sip:030@{DOMAIN}")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_access_and_relay_and_nonces_given_out_before_stay_good() -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        await register(alice)
        again = alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>", contact=f"<{alice.uri}>")
        alice.send(again)
        challenge = await alice.hears("401 REGISTER")
        reloaded = rewritten(house, access=AccessConfig(trusted=["192.0.2.1"], nonce_seconds=600), relay=RelayConfig(allow=["192.0.2.9"]))
        assert reloaded.changed == ("access.nonce_seconds", "access.trusted", "relay.allow")
        from tests.server.proving import answering

        alice.send(answering(alice, again, challenge))
        await alice.hears("200 REGISTER")
        there = await house.party("there", "192.0.2.9")
        alice.ask("MESSAGE", "sip:there@192.0.2.9")
        there.reply(await there.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_registrar_proxy_limits_and_drain() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)

        def registering(seconds: int) -> None:
            aor = f"sip:alice@{DOMAIN}"
            alice.ask("REGISTER", f"sip:{DOMAIN}", to=f"<{aor}>", contact=f"<{alice.uri}>;expires={seconds}", cseq=seconds)

        registering(90)
        await alice.hears("200 REGISTER")
        rewritten(
            house,
            registrar=RegistrarConfig(min_expires=100),
            proxy=ProxyConfig(record_route=False),
            limits=LimitsConfig(half_open_per_source=1),
            drain=DrainConfig(seconds=1.0),
        )
        registering(91)
        await alice.hears("423 REGISTER")
        alice.ask("INVITE")
        invite = await bob.hears("INVITE")
        assert "Record-Route" not in invite.headers
        await alice.hears("100 INVITE")
        alice.ask("INVITE")
        await alice.hears("503 INVITE")
        assert house.server.leave.config.seconds == 1.0
        bob.reply(invite, 486)
        await bob.hears("ACK")
        await alice.hears("486 INVITE")


@simulated
async def test_a_fault_anywhere_leaves_everything_as_it_was(tmp_path: Path) -> None:
    routes = tmp_path / "routes.py"
    routes.write_text("def route(request):\n    return Reject(480)\n")
    async with House(routing=routes) as house:
        alice = await house.party("alice")
        before = house.server.config
        routes.write_text("def route(request):\n    return Reject(\n")
        reloaded = rewritten(house, registrar=RegistrarConfig(max_contacts=1), domains=["example.org"])
        assert reloaded.fault is not None
        assert reloaded.fault.startswith(f"{routes}:2: ")
        assert house.reports == [f"{reloaded.fault} (all stays as it was)"]
        assert house.server.config is before
        assert house.server.domains.names == (DOMAIN,)
        await status(alice, 480)
        routes.write_text("def route(request):\n    return Reject(410)\n")
        reloaded = rewritten(house, log=LogConfig(file=tmp_path / "absent" / "log"))
        assert reloaded.fault == f"{tmp_path}/absent/log: No such file or directory"
        await status(alice, 480)
        assert house.server.reload().fault is not None
        rewritten(house)
        await status(alice, 410)


async def status(party: Party, code: int) -> None:
    """What a request is answered now."""
    party.ask("MESSAGE")
    await party.hears(f"{code} MESSAGE")


def broken(folder: Path) -> list[tuple[str, str]]:
    """Twenty configurations that cannot be used, and what is said of each."""
    return [
        ("[registrar\n", "no valid TOML"),
        ("domains = [\n", "no valid TOML"),
        ("domains = 'x'\ndomains = 'y'\n", "no valid TOML: Cannot overwrite a value (at line 2"),
        ("a = 1\nb = \n", "no valid TOML: Invalid value (at line 2"),
        ("domains = 7\n", "domains: must be a list"),
        ('domains = ["sip:x"]\n', "domains[0]: 'sip:x' is no domain"),
        ("listen = []\n", "listen: must name at least one address"),
        ('listen = ["http://127.0.0.1"]\n', "listen[0]"),
        ('auth = "open"\n', "auth: must be"),
        ("routing = 1\n", "routing: must be"),
        ('routing = "absent.py"\n', "absent.py: No such file or directory"),
        ("[access]\nalgorithms = []\n", "access.algorithms: must name at least one"),
        ('[access]\ntrusted = ["x"]\n', "access.trusted[0]: 'x' is no address"),
        ("[registrar]\nmin_expires = 0\n", "registrar.min_expires: must be"),
        ("[registrar]\nmin_expires = 9999\n", "registrar.default_expires: must lie between"),
        ("[proxy]\ntimer_c = 1\n", "proxy.timer_c: must be a number above 180"),
        ("[proxie]\n", "proxie: no such key; did you mean proxy?"),
        ("[drain]\nseconds = -1\n", "drain.seconds: must be"),
        ('[log]\nlevel = "loud"\n', "log.level: must be"),
        (f'[log]\nfile = "{folder}/absent/log"\n', "absent/log: No such file or directory"),
        ('[metrics]\nlisten = "9090"\n', "metrics.listen: '9090': the address must be numeric"),
        ("\xff", "not UTF-8 (at line 1)"),
    ]


@simulated
async def test_twenty_broken_files_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    async with House() as house:
        alice = await house.party("alice")
        options = {"auth": "none", "data": ":memory:", "listen": house.server.config.listen}
        reread: Callable[[], Config] = lambda: read_config(file, options)  # noqa: E731 - a story reads better in order
        house.server.reread = reread
        for text, said in broken(tmp_path):
            file.write_text(text, "latin-1")
            if 'auth = "open"' in text or "listen" in text.partition("=")[0]:
                options.pop(text.partition(" ")[0], None)
            reloaded = house.server.reload()
            options |= {"auth": "none", "listen": house.server.config.listen}
            assert reloaded.fault is not None, text
            assert said in reloaded.fault
            assert "\n" not in reloaded.fault
            await status(alice, 404)
        file.write_text("[registrar]\nmax_contacts = 2\n")
        assert "registrar.max_contacts" in house.server.reload().changed


def test_a_config_error_is_no_crash() -> None:
    with pytest.raises(ConfigError):
        Config(listen=[])


@simulated
async def test_the_log_is_taken_up_and_put_down(tmp_path: Path) -> None:
    logger = logging.getLogger("ringback")
    level = logger.level
    try:
        async with House() as house:
            assert rewritten(house, log=LogConfig(level="error", file=tmp_path / "log")).changed == ("log.level", "log.file")
            logger.error("seen")
            logger.warning("not seen")
            assert len((tmp_path / "log").read_text().splitlines()) == 1
    finally:
        logs.close()
        logger.setLevel(level)


def test_the_page_names_what_can_change() -> None:
    page = (ROOT / "docs" / "how-to" / "operate.md").read_text("utf-8")
    said = page.partition("These change at once:")[2].partition("What else")[0]
    can, _, cannot = said.partition("(but not")
    assert set(re.findall(r"`([a-z_.]+)`", can)) == CHANGEABLE
    assert set(re.findall(r"`([a-z_.]+)`", cannot)) == EXCEPTED


@simulated
async def test_how_long_a_target_rings_before_the_next_changes_at_once() -> None:
    async with House(proxy=ProxyConfig(ring_for=60.0)) as house:
        alice = await house.party("alice")
        one, two = await house.party("one"), await house.party("two")
        assert rewritten(house, proxy=ProxyConfig(ring_for=5.0)).changed == ("proxy.ring_for",)
        house.server.core.determination.route = lambda request: Forward(one.uri, two.uri, one_by_one=True)
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await one.hears("INVITE")
        one.reply(invite, 180)
        await alice.hears("180 INVITE")
        one.reply(await one.hears("CANCEL"), 200)
        one.reply(invite, 487)
        two.reply(await two.hears("INVITE"), 200)
        await alice.hears("200 INVITE")
        assert two.heard[0].time == pytest.approx(5, abs=0.1)
