"""A phone in a browser: JsSIP in Chromium, over WSS, with a password, to other pages and to SIP over UDP (RFC 7118)."""

import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.interop.browser import Browser, Phone, Site, key_pin
from tests.interop.ports import free_port
from tests.interop.running import PATIENCE, patiently
from tests.interop.server import PASSWORD, RunningServer, ringback
from tests.interop.sipp import Sipp
from tests.interop.wire import DOMAIN
from tests.transport.tls.authority import Authority

# Where sipp is: no page comes from there, and what does needs no password.
AFAR = "127.0.0.2"

_CONFIG = """
[tls]
certificate = "{certificate}"
key = "{key}"

[websocket]
origins = ["{origin}"]
path = "/ws"

[access]
# sipp looks at the first challenge alone, JsSIP at the last.
algorithms = ["MD5", "SHA-256"]
trusted = ["{afar}"]
"""


class Stage:
    """A server, a browser, and the pages with phones in it."""

    def __init__(self, chromium: str, folder: Path) -> None:
        files = Authority(folder).issue(f"DNS:{DOMAIN}", "IP:127.0.0.1")
        self._open = ExitStack()
        self._pages: list[Phone] = []
        try:
            self.site = self._open.enter_context(Site())
            self.server = RunningServer(
                folder, config=_CONFIG.format(certificate=files.certificate, key=files.key, origin=self.site.origin, afar=AFAR)
            )
            self.url = f"wss://127.0.0.1:{free_port()}/ws"
            command = self.server.command
            command[command.index("none")] = "digest"
            command += ["--listen", self.url.removesuffix("/ws"), "--listen", f"udp://{AFAR}:{self.server.port}"]
            for user in ("alice", "bob", "carol"):
                add = ringback("user", "add", f"{user}@{DOMAIN}", "--data", str(self.server.data), "--password-stdin")
                subprocess.run(add, input=PASSWORD, text=True, check=True, timeout=PATIENCE, capture_output=True)
            self._open.enter_context(self.server)
            self.browser = self._open.enter_context(Browser(chromium, folder, key_pin(files.certificate)))
            self.browser.ready()
        except BaseException:
            self._open.close()
            raise

    def page(self, user: str, *, password: str = PASSWORD, site: Site | None = None) -> Phone:
        """A page whose phone has begun to register."""
        phone = self.opened(site or self.site)
        return phone.start(self.url, uri=f"sip:{user}@{DOMAIN}", password=password, connection_recovery_min_interval=1)

    def opened(self, site: Site, path: str = "/") -> Phone:
        """A page."""
        phone = self.browser.phone(site, path)
        self._pages.append(phone)
        return phone

    def phone(self, user: str) -> Phone:
        """A page whose phone is registered."""
        phone = self.page(user)
        phone.hears("registered")
        return phone

    def cseq(self, user: str) -> int:
        """The CSeq of the REGISTER that a user's binding is from."""
        with closing(sqlite3.connect(self.server.data / "ringback.db")) as store:
            return int(store.execute("SELECT cseq FROM binding WHERE aor = ?", (uri(user),)).fetchone()[0])

    def leave(self) -> None:
        """Closes the pages, and waits until the server has noticed."""
        for phone in self._pages:
            phone.leave()
        self._pages.clear()
        patiently(lambda: self.server.bindings() == 0, "nobody is registered any more")

    def close(self) -> None:
        self._open.close()


@pytest.fixture(scope="module")
def _stage(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(program("chromium"), tmp_path_factory.mktemp("browser"))
    yield stage
    stage.close()


@pytest.fixture
def stage(_stage: Stage) -> Iterator[Stage]:
    yield _stage
    _stage.leave()


def uri(user: str) -> str:
    return f"sip:{user}@{DOMAIN}"


def test_a_page_registers_again_and_no_more(stage: Stage) -> None:
    alice = stage.phone("alice")
    assert stage.server.bindings() == 1
    first = stage.cseq("alice")
    alice.run("phone.register()")
    patiently(lambda: stage.cseq("alice") > first, "the binding was refreshed")
    assert stage.server.bindings() == 1
    alice.run("phone.unregister()")
    alice.hears("unregistered")
    assert stage.server.bindings() == 0


def test_a_wrong_password_registers_nobody(stage: Stage) -> None:
    alice = stage.page("alice", password="wrong")
    assert alice.hears("registrationFailed") == "registrationFailed 401 Authentication Error"


def test_a_page_of_another_site_may_not_connect(stage: Stage) -> None:
    with Site() as other:
        alice = stage.page("alice", site=other)
        assert alice.hears("disconnected").startswith("disconnected 1006")
        line = stage.server.running.wait_for("may not connect here")
        assert f"A page of {other.origin}" in stage.server.running.said.pop(line - 1)
        stage.leave()


def test_a_page_calls_another_and_is_hung_up_on(stage: Stage) -> None:
    alice, bob = stage.phone("alice"), stage.phone("bob")
    alice.calls(uri("bob"))
    assert bob.hears("rings") == f"rings {uri('alice')}"
    alice.hears("progress remote")
    bob.answers()
    alice.hears("accepted remote")
    # The ACK has come: only then is the callee sure of the call (§13.3.1.4).
    bob.hears("confirmed remote")
    bob.hangs_up()
    assert alice.hears("ended").strip() == "ended remote Terminated"
    bob.hears("ended local")


def test_the_caller_hangs_up(stage: Stage) -> None:
    alice, bob = stage.phone("alice"), stage.phone("bob")
    bob.calls(uri("alice"))
    alice.hears("rings")
    alice.answers()
    bob.hears("confirmed")
    alice.hears("confirmed")
    bob.hangs_up()
    assert alice.hears("ended").strip() == "ended remote Terminated"


def test_a_call_is_given_up_while_it_rings(stage: Stage) -> None:
    alice, bob = stage.phone("alice"), stage.phone("bob")
    alice.calls(uri("bob"))
    bob.hears("rings")
    alice.hears("progress")
    alice.hangs_up()
    assert bob.hears("failed") == "failed remote Canceled"
    assert alice.hears("failed") == "failed local Canceled"


@pytest.mark.parametrize(("status", "cause"), [(486, "Busy"), (603, "Rejected"), (480, "Unavailable")])
def test_the_callee_says_no(stage: Stage, status: int, cause: str) -> None:
    alice, bob = stage.phone("alice"), stage.phone("bob")
    alice.calls(uri("bob"))
    bob.hears("rings")
    bob.hangs_up(status)
    assert alice.hears("failed") == f"failed remote {cause}"


def test_nobody_is_there(stage: Stage) -> None:
    alice = stage.phone("alice")
    alice.calls(uri("carol"))
    assert alice.hears("failed") == "failed remote Unavailable"
    alice.calls(uri("nobody"))
    assert alice.hears("failed") == "failed remote Not Found"


def test_a_page_that_is_closed_is_not_called(stage: Stage) -> None:
    alice, bob = stage.phone("alice"), stage.phone("bob")
    bob.leave()
    patiently(lambda: stage.server.bindings() == 1, "the server has noticed that Bob's page is gone")
    alice.calls(uri("bob"))
    assert alice.hears("failed") == "failed remote Unavailable"


def test_a_message_goes_from_page_to_page(stage: Stage) -> None:
    alice, bob = stage.phone("alice"), stage.phone("bob")
    alice.run(f"void phone.sendMessage('{uri('bob')}', 'Grüße – 你好')")
    assert bob.hears("message") == "message Grüße – 你好"


def test_two_pages_of_one_user_ring_and_one_answers(stage: Stage) -> None:
    alice, left, right = stage.phone("alice"), stage.phone("bob"), stage.phone("bob")
    assert stage.server.bindings() == 3
    alice.calls(uri("bob"))
    left.hears("rings")
    right.hears("rings")
    right.answers()
    alice.hears("confirmed")
    assert left.hears("failed") == "failed remote Canceled"
    alice.hangs_up()
    right.hears("ended remote")


FILL = """
for (const [name, value] of Object.entries({values}))
    document.querySelector(`[name=${{name}}]`).value = value;
document.getElementById("{form}").requestSubmit();
"""


def test_the_page_of_the_example_calls_and_is_called(stage: Stage) -> None:
    bob = stage.phone("bob")
    alice = stage.opened(stage.site, "/browser_phone.html")
    account = {"server": stage.url, "uri": uri("alice"), "password": PASSWORD}
    alice.run(FILL.format(values=json.dumps(account), form="account"))
    alice.shows("registered")
    alice.run(FILL.format(values=json.dumps({"callee": uri("bob")}), form="dial"))
    bob.hears("rings")
    alice.shows("it rings")
    bob.answers()
    alice.shows("talking")
    alice.run("document.getElementById('hang-up').click()")
    bob.hears("ended")
    bob.calls(uri("alice"))
    alice.shows(f"call from {uri('bob')}")
    alice.run("document.getElementById('answer').click()")
    bob.hears("confirmed")
    # WebRTC has found its way: something is heard.
    patiently(lambda: alice.run("document.getElementById('sound').srcObject?.active"), "there is sound")
    bob.hangs_up()
    alice.shows("Terminated")


def sipp(program: Callable[[str], str], stage: Stage, scenario: str, folder: Path, port: int, user: str) -> Sipp:
    return Sipp(program("sipp"), scenario, here=(AFAR, port), server=(AFAR, stage.server.port), user=user, folder=folder)


def test_a_page_calls_somebody_on_udp(program: Callable[[str], str], stage: Stage, tmp_path: Path) -> None:
    bob, port = stage.phone("bob"), free_port(AFAR)
    with sipp(program, stage, "register_with_password", tmp_path, port, "alice") as registering:
        registering.finish()
    try:
        with sipp(program, stage, "answer_page", tmp_path, port, "alice").wait_until_it_listens() as alice:
            bob.calls(uri("alice"))
            bob.hears("progress remote")
            bob.hears("confirmed")
            bob.hangs_up()
            alice.finish()
            # RFC 5658: each side sees on top the entry of its own transport.
            nearest, farthest = [line for line in alice.heard().split("\n") if line.startswith("Record-Route:")][:2]
            assert "transport=ws" in farthest
            assert "transport=" not in nearest
    finally:
        with sipp(program, stage, "unregister_with_password", tmp_path, port, "alice") as gone:
            gone.finish()


def test_somebody_on_udp_calls_a_page(program: Callable[[str], str], stage: Stage, tmp_path: Path) -> None:
    bob = stage.phone("bob")
    with sipp(program, stage, "call_page", tmp_path, free_port(AFAR), "bob") as caller:
        bob.hears("rings sip:caller@")
        bob.answers()
        bob.hears("confirmed remote")
        assert bob.hears("ended").strip() == "ended remote Terminated"
        caller.finish()


def test_somebody_on_udp_gives_up_a_call_to_a_page(program: Callable[[str], str], stage: Stage, tmp_path: Path) -> None:
    bob = stage.phone("bob")
    with sipp(program, stage, "call_and_cancel", tmp_path, free_port(AFAR), "bob") as caller:
        caller.finish()
    assert bob.hears("failed") == "failed remote Canceled"


def test_a_page_comes_back_after_the_server_was_started_anew(stage: Stage) -> None:
    alice = stage.phone("alice")
    stage.server.kill()
    alice.hears("disconnected")
    stage.server.start()
    alice.hears("connected")
    alice.hears("registered")
    bob = stage.phone("bob")
    bob.calls(uri("alice"))
    alice.hears("rings")
    alice.hangs_up(486)
    assert bob.hears("failed") == "failed remote Busy"


def test_a_call_outlives_the_connections_of_both_pages(stage: Stage) -> None:
    """JsSIP names itself by its GRUU (RFC 5627): wherever it is connected now, requests of the call find it."""
    alice, bob = stage.phone("alice"), stage.phone("bob")
    alice.calls(uri("bob"))
    bob.hears("rings")
    bob.answers()
    alice.hears("confirmed local")
    bob.hears("confirmed remote")
    stage.server.kill()
    for phone in (alice, bob):
        phone.hears("disconnected")
    stage.server.start()
    for phone in (alice, bob):
        phone.hears("registered")
    bob.hangs_up()
    assert alice.hears("ended").strip() == "ended remote Terminated"
