"""RFC 3665 §2 (registration): each flow with our user agent and our registrar, in simulated time. TLS is UDP here."""

from __future__ import annotations

import pytest

from ringback.agent.errors import AuthenticationFailed
from ringback.agent.registration.registrar import Registrar
from ringback.server.config import NatConfig, RegistrarConfig
from tests.flows.basic_cast import ATLANTA, BILOXI, NAMES, SECRET, SS2, bob
from tests.flows.comparison import Differs, Insecure, Means
from tests.flows.corpus import flow
from tests.flows.stage import Server, Stage, perform

REGISTRAR = f"sip:{SS2}"
# Contacts are names here, and one is a mailbox: neither is the address that a REGISTER comes from.
CONFIG = {"registrar": RegistrarConfig(foreign_contacts=True), "nat": NatConfig(keepalive=0)}
SERVER = Server("SIP Server", "192.0.2.222", (BILOXI,), SS2, CONFIG, {f"bob@{BILOXI}": SECRET})
BOB = bob(server=None, password=SECRET)
HERE = (
    Insecure("UDP", "the simulated network has no TLS; what REGISTER says is the same"),
    Means("WWW-Authenticate Authorization", BILOXI, ATLANTA, "the realm is the domain registered at; the RFC names another one's"),
)
TIMES = "seconds have passed since; and who names no time gets our default, an hour, where the RFC's server grants the longest there is"
EXPIRES = Differs("F1 F3", "Expires", "3600", "RFC 3261 §10.2.1.1: we ask for a time; the RFC's Bob leaves it to the registrar")
FROM_TAG = Differs("F3 F4", "From tag", "From of F1", "RFC 3261 §8.1.3.5: From of the second attempt is the first one's, its tag too")


async def is_registered(stage: Stage) -> None:
    """Bob is registered and has proven who he is; the flow begins afterwards."""
    await stage.life.enter_async_context(stage.agents["Bob"].registration(registrars=[REGISTRAR]))
    await stage.begin()


async def has_two_contacts(stage: Stage) -> None:
    """… and reads mail."""
    await Registrar(stage.agents["Bob"].core, REGISTRAR).ask(lambda _: f"<mailto:bob@{BILOXI}>")


def test_2_1_successful_new_registration() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.life.enter_async_context(stage.agents["Bob"].registration(registrars=[REGISTRAR]))

    perform(scenario, BOB, SERVER, names=NAMES).shows(
        flow("rfc3665", "2.1"),
        """
          Bob            SIP Server
           │── REGISTER F1 ──▶│
           │◀──── 401 F2 ─────│
           │── REGISTER F3 ──▶│
           │◀──── 200 F4 ─────│
        """,
        *HERE,
        EXPIRES,
        FROM_TAG,
    )


def test_2_2_update_of_contact_list() -> None:
    async def scenario(stage: Stage) -> None:
        await is_registered(stage)
        await has_two_contacts(stage)

    perform(scenario, BOB, SERVER, names=NAMES).shows(
        flow("rfc3665", "2.2"),
        """
          Bob            SIP Server
           │── REGISTER F1 ──▶│
           │◀──── 200 F2 ─────│
        """,
        *HERE,
        Differs("F2", "Contact", f"Bob expires=3560, mailto:bob@{BILOXI} expires=3600", TIMES),
    )


def test_2_3_request_for_current_contact_list() -> None:
    async def scenario(stage: Stage) -> None:
        await is_registered(stage)
        await has_two_contacts(stage)
        await stage.begin()
        assert len(await stage.agents["Bob"].bindings(REGISTRAR)) == 2

    perform(scenario, BOB, SERVER, names=NAMES).shows(
        flow("rfc3665", "2.3"),
        """
          Bob            SIP Server
           │── REGISTER F1 ──▶│
           │◀──── 200 F2 ─────│
        """,
        *HERE,
        Differs("F2", "Contact", f"Bob expires=3520, mailto:bob@{BILOXI} expires=3560", TIMES),
    )


def test_2_4_cancellation_of_registration() -> None:
    async def scenario(stage: Stage) -> None:
        await is_registered(stage)
        await stage.agents["Bob"].remove_bindings(REGISTRAR)

    perform(scenario, BOB, SERVER, names=NAMES).shows(
        flow("rfc3665", "2.4"),
        """
          Bob            SIP Server
           │── REGISTER F1 ──▶│
           │◀──── 200 F2 ─────│
        """,
        *HERE,
    )


def test_2_5_unsuccessful_registration() -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(AuthenticationFailed):
            await stage.agents["Bob"].registration(registrars=[REGISTRAR]).register()

    perform(scenario, bob(server=None, password="not what Bob knows"), SERVER, names=NAMES).shows(
        flow("rfc3665", "2.5"),
        """
          Bob            SIP Server
           │── REGISTER F1 ──▶│
           │◀──── 401 F2 ─────│
           │── REGISTER F3 ──▶│
           │◀──── 401 F4 ─────│
        """,
        *HERE,
        EXPIRES,
        FROM_TAG,
        Differs("F4", "To tag", "To of F4", "RFC 3261 §8.2.7: a stateless answer's tag is made of its request; the RFC repeats that of F2"),
        Differs("F1", "Max-Forwards", "70", "RFC 3261 §8.1.1: every request has it; the RFC leaves it out by mistake"),
    )
