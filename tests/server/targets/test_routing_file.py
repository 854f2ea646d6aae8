"""The operator's routing function: loaded, asked, failing, reloaded."""

from pathlib import Path

import pytest

from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location as LocationService
from ringback.server.operator_file import OperatorFileError, explain
from ringback.server.proxy.routing import Forward, Gateway, Location, Redirect, Reject, first
from ringback.server.targets.routing_file import Lookup, checked, load_route
from tests.server.party import House, simulated

LOOKUP = Lookup(LocationService(clock=lambda: 0.0), Domains(["example.com"]), Gruus(b"key"))


def write(folder: Path, text: str) -> Path:
    path = folder / "routes.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def route(request)\n    pass\n", "routes.py:1: "),
        ("x = 1\ny = 1 / 0\n", "routes.py:2: ZeroDivisionError: division by zero"),
        ("import nothing_of_this_name\n", "routes.py:1: ModuleNotFoundError"),
        ("x = 1\n", "routes.py: needs a function route(request)"),
        ("route = 3\n", "routes.py: needs a function route(request)"),
        ("def route():\n    pass\n", "routes.py: needs a function route(request)"),
        ("def route(a, b):\n    pass\n", "routes.py: needs a function route(request)"),
        ("raise ValueError('two\\nlines')", "routes.py:1: ValueError: two lines"),
        ("\0", "routes.py"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(OperatorFileError) as error:
        load_route(write(tmp_path, text), LOOKUP)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_no_utf_8(tmp_path: Path) -> None:
    with pytest.raises(OperatorFileError, match="No such file"):
        load_route(tmp_path / "none.py", LOOKUP)
    (tmp_path / "routes.py").write_bytes(b"# \xff\n")
    with pytest.raises(OperatorFileError, match=r"routes\.py"):
        load_route(tmp_path / "routes.py", LOOKUP)


def test_the_file_finds_what_it_needs(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "seen = (__name__, __file__)\n"
        "def route(request):\n"
        "    return [Forward('sip:a@x'), Redirect('sip:a@x'), Reject(480), location.lookup('sip:bob@example.com'), seen]\n",
    )
    forward, redirect, reject, bindings, (name, file) = load_route(path, LOOKUP)(None)  # type: ignore[arg-type,misc,union-attr]
    assert (type(forward), type(redirect), type(reject), bindings) == (Forward, Redirect, Reject, ())
    assert (name, file) == ("routes", str(path))


def test_only_decisions_count() -> None:
    for decision in (None, Forward("sip:a@x"), Location(), Gateway("pstn"), first(Location()), Redirect("sip:a@x"), Reject(404)):
        assert checked(decision) is decision
    for nonsense in (True, "sip:a@x", [Forward("sip:a@x")], 404, object):
        with pytest.raises(TypeError, match="Redirect, Reject or None"):
            checked(nonsense)


def test_a_fault_from_elsewhere_names_the_file() -> None:
    assert explain(ValueError("far\naway"), Path("routes.py")) == "routes.py: ValueError: far away"


ROUTES = """
import asyncio

async def slowly(decision):
    await asyncio.sleep(0.01)
    return decision

def route(request):
    match request.uri.user:
        case "reject":
            return Reject(480, "Asleep", [("Retry-After", "5")])
        case "redirect":
            return Redirect("sip:elsewhere@192.0.2.9", "sip:there@192.0.2.9", status=301)
        case "forward":
            return Forward("sip:bob@192.0.2.2")
        case "located":
            return Forward(*location.lookup("sip:bob@example.com"))
        case "nobody":
            return Forward(*location.lookup("sip:nobody@example.com"))
        case "async-reject":
            return slowly(Reject(480))
        case "async-forward":
            return slowly(Forward("sip:bob@192.0.2.2"))
        case "async-none":
            return slowly(None)
        case "async-raise":
            return slowly(1 / 0)
        case "async-nonsense":
            return slowly("nonsense")
        case "raise":
            raise KeyError("what")
        case "nonsense":
            return 42
        case "injection":
            return Redirect(f"sip:x@y\\r\\nVia: evil")
        case "foreign":
            return Forward("sip:x@203.0.113.9")
"""


@pytest.mark.parametrize(
    ("user", "status", "says"),
    [
        ("reject", 480, "Retry-After: 5\r\n"),
        ("redirect", 301, "Contact: <sip:elsewhere@192.0.2.9>\r\nContact: <sip:there@192.0.2.9>\r\n"),
        ("async-reject", 480, ""),
        ("async-none", 404, ""),
        ("other", 404, ""),
        ("nobody", 500, "Routing Failed"),
        ("raise", 500, "Routing Failed"),
        ("nonsense", 500, "Routing Failed"),
        ("injection", 500, "Routing Failed"),
        ("async-raise", 500, "Routing Failed"),
        ("async-nonsense", 500, "Routing Failed"),
    ],
)
def test_what_it_decides_happens(tmp_path: Path, user: str, status: int, says: str) -> None:
    @simulated
    async def scenario() -> None:
        async with House(routing=write(tmp_path, ROUTES)) as house:
            alice = await house.party("alice")
            for method in ("INVITE", "MESSAGE"):
                alice.ask(method, f"sip:{user}@example.com")
                assert says in str(await alice.hears(f"{status} {method}"))
            assert len(house.reports) == (2 if status == 500 else 0)
            assert house.server.counts.routing_errors == len(house.reports)
            if user == "raise":
                line = ROUTES[: ROUTES.index("raise KeyError")].count("\n") + 1
                assert f"routes.py:{line}: KeyError: 'what'" in house.reports[0]

    scenario()


@pytest.mark.parametrize("user", ["forward", "located", "async-forward", "bob"])
def test_what_it_forwards_is_forwarded(tmp_path: Path, user: str) -> None:
    @simulated
    async def scenario() -> None:
        async with House(routing=write(tmp_path, ROUTES)) as house:
            alice = await house.party("alice")
            await house.party("bob", "192.0.2.2", q=1.0)
            await house.call(alice, house.parties[1], f"sip:{user}@example.com")

    scenario()


def test_it_may_send_where_it_likes_and_is_not_asked_about_domains_of_others(tmp_path: Path) -> None:
    @simulated
    async def scenario() -> None:
        async with House(routing=write(tmp_path, ROUTES)) as house:
            alice = await house.party("alice")
            foreign = await house.party("foreign", "203.0.113.9")
            alice.ask("MESSAGE", "sip:foreign@example.com")
            foreign.reply(await foreign.hears("MESSAGE"), 200)
            await alice.hears("200 MESSAGE")
            alice.ask("MESSAGE", "sip:forward@other.example")
            await alice.hears("403 MESSAGE")

    scenario()


def test_a_reload_takes_the_new_file_and_keeps_the_old_one_where_that_fails(tmp_path: Path) -> None:
    @simulated
    async def scenario() -> None:
        path = write(tmp_path, "def route(request):\n    return Reject(480)\n")
        async with House(routing=path) as house:
            alice = await house.party("alice")

            async def status() -> int:
                alice.ask("MESSAGE")
                await alice.hears_nothing(0.0)
                import asyncio

                await asyncio.sleep(0.1)
                [kind] = alice.kinds()
                return int(kind.split(" ")[0])

            assert await status() == 480
            write(tmp_path, "def route(request):\n    return Reject(410)\n")
            assert await status() == 480
            assert house.server.reload().fault is None
            assert await status() == 410
            for broken in ("def route(", "1 / 0", "x = 1"):
                write(tmp_path, broken)
                fault = house.server.reload().fault
                assert fault is not None and "routes.py" in fault
                assert house.reports[-1].startswith(fault)
                assert await status() == 410
            path.unlink()
            assert house.server.reload().fault is not None
            assert await status() == 410

    scenario()


@simulated
async def test_without_a_routing_file_there_is_nothing_to_reload() -> None:
    async with House() as house:
        assert house.server.reload().fault is None
        assert house.reports == []


def test_lookup_finds_users_of_ours_alone() -> None:
    for uri in ("sip:x@other.example", "tel:+1", "sip:example.com", "mailto:a@b"):
        assert LOOKUP.lookup(uri) == ()
