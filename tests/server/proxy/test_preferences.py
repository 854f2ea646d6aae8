"""RFC 3841 §7 and §9.1: which devices a caller prefers, and how he wants a request handled."""

import pytest

from ringback.message.message import Request
from ringback.server.location.binding import Binding
from ringback.server.proxy.preferences import Disposition, Preferences, has_implied
from ringback.server.proxy.routing import Forward
from tests.server.party import House, Party, proxy, simulated
from tests.server.proxy.deciding import answers, decide, refuses


def bound(contact: str, params: str = "", q: float = 1.0, *, instance: str = "") -> Binding:
    return Binding(1, "sip:user@example.com", contact, params, q, 100.0, 50, "c", 1, instance=instance)


def asking(*fields: str, method: str = "INVITE") -> Request:
    request = Request(method, "sip:user@example.com")
    for field in fields:
        name, _, value = field.partition(": ")
        request.headers.append(name, value)
    return request


# §7.2.5's contacts and preferences.
CONTACTS = [
    bound("sip:u1@h.example.com", ';audio;video;methods="INVITE,BYE";q=0.2', 0.2),
    bound("sip:u2@h.example.com", ';audio="FALSE";methods="INVITE";actor="msg-taker";q=0.2', 0.2),
    bound("sip:u3@h.example.com", ';audio;actor="msg-taker";methods="INVITE";video;q=0.3', 0.3),
    bound("sip:u4@h.example.com", ';audio;methods="INVITE,OPTIONS";q=0.2', 0.2),
    bound("sip:u5@h.example.com", ";q=0.5", 0.5),
]
ASKED = asking(
    'Reject-Contact: *;actor="msg-taker";video',
    "Accept-Contact: *;audio;require",
    "a: *;video;explicit",
    'Accept-Contact: *;methods="BYE";class="business";q=1.0',
)


def test_the_scores_of_the_rfcs_example() -> None:
    ranks = Preferences(ASKED).ranks(CONTACTS)
    assert {binding.contact[4:6]: ranks[id(binding)] for binding in CONTACTS if id(binding) in ranks} == {
        "u1": (0.2, pytest.approx(5 / 6)),
        "u4": (0.2, 0.5),
        "u5": (0.5, 1.0),
    }


def test_the_order_of_the_rfcs_example() -> None:
    steps = Preferences(ASKED).steps(CONTACTS, one_by_one=False)
    assert [[one.uri[4:6] for one in step] for step in steps] == [["u5"], ["u1"], ["u4"]]
    steps = Preferences(ASKED).steps(CONTACTS, one_by_one=True)
    assert [[one.uri[4:6] for one in step] for step in steps] == [["u1"], ["u4"], ["u5"]]


@pytest.mark.parametrize(
    ("params", "fields", "preference"),
    [
        # Figure 1, from the left.
        (";video", ["Accept-Contact: *;video;require;explicit"], 1.0),
        (";audio", ["Accept-Contact: *;video;require;explicit"], None),
        (";audio", ["Accept-Contact: *;video;explicit"], 0.0),
        (";audio", ["Accept-Contact: *;video"], 0.0),
        (";audio", ["Accept-Contact: *;video;require"], 0.0),
        (';video="FALSE"', ["Accept-Contact: *;video;require"], None),
        (';video="FALSE"', ["Accept-Contact: *;video"], 0.0),
        (';video="FALSE"', ["Accept-Contact: *;video;explicit", "Accept-Contact: *;automata"], 0.0),
        (";video;audio", ["Accept-Contact: *;video, *;audio;class=x"], 0.75),
        (";video", ["Accept-Contact: *"], 1.0),
        # Rejected is only who says that he is what is not wanted.
        (";video", ["Reject-Contact: *;video"], None),
        (';video="FALSE"', ["Reject-Contact: *;video"], 0.0),
        (";audio", ["Reject-Contact: *;video"], 0.0),
        (";video", ["Reject-Contact: *;video;automata"], 0.0),
        (";video;automata", ["j: *;video;automata"], None),
        # Who says nothing of himself is immune.
        ("", ["Reject-Contact: *;video", "Accept-Contact: *;audio;require;explicit"], 1.0),
        (";q=0.1;x=y", ["Accept-Contact: *;audio;require;explicit"], 1.0),
    ],
)
def test_a_device_and_its_preference(params: str, fields: list[str], preference: float | None) -> None:
    binding = bound("sip:u@h", params)
    assert Preferences(asking(*fields)).ranks([binding]).get(id(binding)) == (None if preference is None else (1.0, preference))


def test_what_a_request_is_implies_what_it_needs() -> None:
    invites, subscribes, silent = (
        bound("sip:1@h", ';methods="INVITE"'),
        bound("sip:2@h", ';methods="SUBSCRIBE";events="dialog"'),
        bound("sip:3@h"),
    )
    targets = [invites, subscribes, silent]
    assert [[one.uri for one in step] for step in Preferences(asking(method="INVITE")).steps(targets, one_by_one=False)] == [
        ["sip:1@h", "sip:3@h"]
    ]
    dialog, presence = asking("Event: dialog", method="SUBSCRIBE"), asking("o: presence", method="SUBSCRIBE")
    assert [[one.uri for one in step] for step in Preferences(dialog).steps(targets, one_by_one=False)] == [["sip:2@h", "sip:3@h"]]
    assert [[one.uri for one in step] for step in Preferences(presence).steps(targets, one_by_one=False)] == [["sip:3@h"]]
    # Where nobody can, everybody is asked: a 405 tells more than a 480.
    assert len(Preferences(presence).ranks([invites, subscribes])) == 2
    assert (has_implied(targets), has_implied([silent, "sip:x@y"])) == (True, False)


def test_the_flows_of_one_phone_stay_together() -> None:
    flows = [bound("sip:1@h", ";video", instance="urn:1"), bound("sip:2@h", ";video", 0.5, instance="urn:1"), bound("sip:3@h", ";audio")]
    steps = Preferences(asking("Accept-Contact: *;audio")).steps(flows, one_by_one=False)
    assert [[(one.uri, len(one.alternatives)) for one in step] for step in steps] == [[("sip:3@h", 0)], [("sip:1@h", 1)]]


def test_directives() -> None:
    said = Disposition(["Redirect", "no-cancel", "no-fork", "recurse", "sequential", "no-queue", "unheard-of", "parallel"])
    assert (said.redirects, said.cancels, said.forks, said.recurses, said.is_parallel) == (True, False, False, True, False)
    silent = Disposition.of(asking())
    assert (silent.redirects, silent.cancels, silent.forks, silent.recurses, silent.is_parallel) == (False, True, True, None, None)
    compact = Disposition.of(asking("d: proxy, no-recurse", "Request-Disposition: parallel"))
    assert (compact.redirects, compact.recurses, compact.is_parallel) == (False, False, True)


# In the proxy.


async def phones(house: House, *params: str) -> tuple[Party, list[Party]]:
    """A caller, and bob's phones as they describe themselves."""
    alice = await house.party("alice")
    bobs = []
    location = house.server.location
    for number, text in enumerate(params, 1):
        phone = await house.party(f"phone{number}")
        binding = Binding(number, "sip:bob@example.com", phone.uri, text, 1.0, location.clock() + 100_000, 3600, f"c{number}", 1)
        location.update(binding.aor, (*location.staged(binding.aor), binding), lambda error: None)
        bobs.append(phone)
    return alice, bobs


@simulated
async def test_who_is_preferred_is_called_first() -> None:
    async with House() as house:
        alice, [audio, video] = await phones(house, ";audio", ";audio;video")
        alice.ask(extra="Accept-Contact: *;video")
        await alice.hears("100 INVITE")
        invite = await video.hears("INVITE")
        assert invite.headers.text("Accept-Contact") == "*;video"
        await audio.hears_nothing()
        video.reply(invite, 480)
        await video.hears("ACK")
        await answers(audio)
        await alice.hears("200 INVITE")


@simulated
async def test_who_is_rejected_is_not_called() -> None:
    async with House() as house:
        alice, [phone, voicemail] = await phones(house, ";audio", ';actor="msg-taker"')
        alice.ask(extra='Reject-Contact: *;actor="msg-taker"')
        await alice.hears("100 INVITE")
        await refuses(phone, 486)
        await alice.hears("486 INVITE")
        await voicemail.hears_nothing()


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@simulated
async def test_who_wants_what_nobody_has_hears_480(method: str) -> None:
    async with House() as house:
        alice, [phone] = await phones(house, ";audio")
        sent = alice.ask(method, extra="Accept-Contact: *;video;require;explicit")
        got = await alice.hears(f"480 {method}")
        assert got.reason == "Temporarily Unavailable"
        if method == "INVITE":
            alice.ack(sent, got)
        await phone.hears_nothing()


@simulated
async def test_what_a_decision_has_for_failures_follows() -> None:
    async with House() as house:
        alice, [phone] = await phones(house, ";audio")
        carol = await house.party("carol")
        bindings = house.server.location.lookup("sip:bob@example.com")
        decide(house, Forward(*bindings, else_={"unregistered": Forward(carol.uri)}))
        alice.ask(extra="Accept-Contact: *;video;require;explicit")
        await alice.hears("100 INVITE")
        await answers(carol)
        await alice.hears("200 INVITE")
        await phone.hears_nothing()


@simulated
async def test_a_message_goes_to_who_takes_messages() -> None:
    async with House() as house:
        alice, [phone, screen] = await phones(house, ';methods="INVITE,ACK,BYE,CANCEL"', ';methods="INVITE,MESSAGE"')
        alice.ask("MESSAGE")
        await answers(screen, "MESSAGE")
        await alice.hears("200 MESSAGE")
        await phone.hears_nothing()


@pytest.mark.parametrize(
    "field", ["Accept-Contact: video", "Reject-Contact: *;video;video", f"Accept-Contact: {', '.join(['*;video'] * 17)}"]
)
@simulated
async def test_what_cannot_be_read_is_400(field: str) -> None:
    async with House() as house:
        alice, [phone] = await phones(house, ";audio")
        alice.ask("MESSAGE", extra=field)
        assert (await alice.hears("400 MESSAGE")).reason.startswith(f"Malformed {field.partition(':')[0]}")
        await phone.hears_nothing()


@simulated
async def test_parallel_sequential_and_one_alone() -> None:
    async with House() as house:
        alice, [one, two] = await phones(house, "", "")
        alice.ask("MESSAGE", extra="Request-Disposition: sequential")
        request = await one.hears("MESSAGE")
        await two.hears_nothing()
        one.reply(request, 480)
        await answers(two, "MESSAGE")
        await alice.hears("200 MESSAGE")
        alice.ask("MESSAGE", extra="d: no-fork")
        await refuses(one, 480, "MESSAGE")
        await alice.hears("480 MESSAGE")
        await two.hears_nothing()
        decide(house, Forward(one.uri, two.uri, one_by_one=True))
        alice.ask("MESSAGE", extra="Request-Disposition: parallel")
        request = await one.hears("MESSAGE")
        await answers(two, "MESSAGE")
        one.reply(request, 480)
        await alice.hears("200 MESSAGE")


@simulated
async def test_the_caller_says_whether_redirections_are_followed() -> None:
    async with House() as house:
        alice, [phone] = await phones(house, "")
        carol = await house.party("carol", q=1.0)
        for directive, upstream in (("recurse", 200), ("no-recurse", 302)):
            alice.ask("MESSAGE", extra=f"Request-Disposition: {directive}")
            phone.reply(await phone.hears("MESSAGE"), 302, extra="Contact: <sip:carol@example.com>")
            if upstream == 200:
                await answers(carol, "MESSAGE")
            await alice.hears(f"{upstream} MESSAGE")


@simulated
async def test_who_wants_no_cancel_gets_every_answer() -> None:
    async with House() as house:
        alice, [one, two] = await phones(house, "", "")
        alice.ask(extra="Request-Disposition: no-cancel")
        await alice.hears("100 INVITE")
        first, second = await one.hears("INVITE"), await two.hears("INVITE")
        two.reply(second, 180)
        await alice.hears("180 INVITE")
        one.reply(first, 200)
        await alice.hears("200 INVITE")
        await two.hears_nothing()
        two.reply(second, 200)
        assert (await alice.hears("200 INVITE")).to_tag == "phone2-tag"


@simulated
async def test_a_6xx_cancels_all_the_same() -> None:
    async with House() as house:
        alice, [one, two] = await phones(house, "", "")
        alice.ask(extra="Request-Disposition: no-cancel")
        await alice.hears("100 INVITE")
        first, second = await one.hears("INVITE"), await two.hears("INVITE")
        two.reply(second, 180)
        await alice.hears("180 INVITE")
        one.reply(first, 603)
        await two.hears("CANCEL")
        two.reply(second, 487)
        await alice.hears("603 INVITE")


@simulated
async def test_a_caller_is_redirected_where_the_operator_allows_it() -> None:
    async with House(proxy=proxy(redirect_on_request=True)) as house:
        alice, [audio, video] = await phones(house, ";audio", ";audio;video")
        alice.ask("MESSAGE", extra="Request-Disposition: redirect\nAccept-Contact: *;video")
        got = await alice.hears("302 MESSAGE")
        # The features stay here, or the next proxy would reckon with them a second time (§7.2.4).
        assert got.headers.texts("Contact") == [f"<{video.uri}>;q=1", f"<{audio.uri}>;q=0.99"]
    async with House() as house:
        alice, [phone] = await phones(house, "")
        alice.ask("MESSAGE", extra="Request-Disposition: redirect")
        await answers(phone, "MESSAGE")
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_request_for_another_domain_is_as_its_own_proxy_wants_it() -> None:
    """§7.2: only the owner of a domain knows the devices in it."""
    from ringback.server.config import RelayConfig

    async with House(relay=RelayConfig(allow=["192.0.2.66"])) as house:
        alice, other = await house.party("alice"), await house.party("other", "192.0.2.66")
        alice.ask("MESSAGE", other.uri, extra="Request-Disposition: recurse\nAccept-Contact: *;video;require;explicit")
        other.reply(await other.hears("MESSAGE"), 302, extra="Contact: <sip:x@192.0.2.66>")
        await alice.hears("302 MESSAGE")


@simulated
async def test_what_a_phone_says_when_it_registers_is_told_again_and_counts() -> None:
    """RFC 3840 §6."""
    async with House() as house:
        alice, phone = await house.party("alice"), await house.party("phone")
        features = ';audio;+sip.message="TRUE";methods="INVITE,BYE";description="<a; b>"'
        phone.ask("REGISTER", "sip:example.com", to="<sip:bob@example.com>", contact=f"<{phone.uri}>;expires=600{features}")
        assert features in (await phone.hears("200 REGISTER")).headers.text("Contact")
        alice.ask("MESSAGE", extra="Accept-Contact: *;video;require;explicit")
        await alice.hears("480 MESSAGE")
        alice.ask("MESSAGE", extra='Accept-Contact: *;audio;description="<a; b>";require;explicit')
        await answers(phone, "MESSAGE")
        await alice.hears("200 MESSAGE")
