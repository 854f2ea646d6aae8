"""Who must prove who he is: REGISTER, requests that begin something, requests within a dialog (RFC 3261 §22, §10.3, §16.3 item 6)."""

import asyncio

import pytest

from ringback.message.derive import cancel_of
from ringback.message.message import Response
from ringback.server.config import AccessConfig, RelayConfig
from ringback.server.proxy.routing import Location
from tests.server.party import DOMAIN, SERVER, Dialog, House, simulated
from tests.server.proving import (
    PASSWORD,
    answer_to,
    answering,
    call,
    challenged,
    challenges_of,
    guarded,
    guest,
    hashed,
    obliging,
    prove,
    register,
    registered,
)

# REGISTER (§10.3 steps 3 and 4)


@simulated
async def test_a_register_is_challenged_by_401_and_taken_with_the_right_password() -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        request = alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>", contact=f"<{alice.uri}>")
        response = await challenged(alice, request)
        assert list(challenges_of(response)) == ["SHA-256", "MD5"]
        for challenge in challenges_of(response).values():
            assert challenge["realm"] == DOMAIN
            assert challenge["qop"] == "auth"
        assert "Proxy-Authenticate" not in response.headers
        alice.send(answering(alice, request, response))
        got = await alice.hears("200 REGISTER")
        assert got.headers.text("Contact").startswith(f"<{alice.uri}>")
        assert house.server.location.lookup(f"sip:alice@{DOMAIN}")


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
@simulated
async def test_the_200_proves_the_server_in_its_turn(algorithm: str) -> None:
    """RFC 7616 §3.5: rspauth is what only who knows the password can compute."""
    async with guarded() as house:
        alice = await guest(house, "alice")
        request = alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>")
        challenge = challenges_of(response := await challenged(alice, request))[algorithm]
        alice.send(answering(alice, request, response, algorithm=algorithm))
        got = await alice.hears("200 REGISTER")
        first, second = hashed(algorithm, f"alice:{DOMAIN}:{PASSWORD}"), hashed(algorithm, f":sip:{DOMAIN}")
        proof = hashed(algorithm, f"{first}:{challenge['nonce']}:00000001:c0ffee:auth:{second}")
        assert f'rspauth="{proof}"' in got.headers.text("Authentication-Info")


@pytest.mark.parametrize(
    ("user", "password"),
    [("alice", "wrong"), ("alice", ""), ("nobody", PASSWORD), ("", PASSWORD), ("Alice", PASSWORD), ("alice ", PASSWORD)],
)
@simulated
async def test_a_wrong_answer_is_challenged_again_and_binds_nothing(user: str, password: str) -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        request = alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>", contact=f"<{alice.uri}>")
        again = answering(alice, request, await challenged(alice, request), user=user, password=password)
        if not user:
            again.headers.set("Authorization", again.headers.text("Authorization").replace('"alice"', '""', 1))
        alice.send(again)
        response = await alice.hears("401 REGISTER")
        assert "stale" not in str(response)
        assert not house.server.location.lookup(f"sip:alice@{DOMAIN}")


@pytest.mark.parametrize(
    ("to", "from_"),
    [
        ("bob", "alice"),
        ("bob", "bob"),
        ("alice", "bob"),
        ("nobody", "alice"),
        ("alice", "alice@elsewhere.example"),
        ("alice@elsewhere.example", "alice"),
        (DOMAIN, "alice"),
    ],
)
@simulated
async def test_nobody_registers_another(to: str, from_: str) -> None:
    """§10.3 step 4: a user may change his own bindings and no others, under no other's name."""
    async with guarded() as house:
        alice = await guest(house, "alice")
        house.server.users.add("bob", DOMAIN, "another password")
        address, sender = (f"sip:{one if '@' in one or one == DOMAIN else f'{one}@{DOMAIN}'}" for one in (to, from_))
        request = alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<{address}>", from_=f"<{sender}>;tag=1", contact=f"<{alice.uri}>")
        await prove(alice, request, user="alice")
        await alice.hears("403 REGISTER")
        assert len(house.server.location) == 0


@simulated
async def test_a_user_registers_under_an_address_of_the_server_too() -> None:
    """A phone that knows no more than the server's address is told the domain by the challenge."""
    async with guarded() as house:
        alice = await guest(house, "alice")
        request = alice.request(
            "REGISTER", f"sip:{SERVER}", to=f"<sip:alice@{SERVER}>", from_=f"<sip:alice@{SERVER}>;tag=1", contact=f"<{alice.uri}>"
        )
        await prove(alice, request)
        await alice.hears("200 REGISTER")
        assert house.server.location.lookup(f"sip:alice@{DOMAIN}")


@simulated
async def test_no_source_is_trusted_to_register() -> None:
    async with guarded(access=AccessConfig(trusted=["192.0.2.0/24"])) as house:
        alice = await guest(house, "alice")
        alice.ask("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>", contact=f"<{alice.uri}>")
        await alice.hears("401 REGISTER")


# Requests that begin something (§22.3)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH", "NOTIFY", "INFO", "REFER"])
@simulated
async def test_the_proxy_asks_by_407_who_calls_and_takes_out_what_was_for_it(method: str) -> None:
    async with guarded(waits=method != "INVITE") as house:
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        request = alice.request(method)
        response = await challenged(alice, request)
        assert "WWW-Authenticate" not in response.headers
        await bob.hears_nothing()
        sent = answering(alice, request, response)
        # §22.3: credentials for other realms are not ours to consume.
        other = answer_to({"algorithm": "MD5", "realm": "other.example", "nonce": "x"}, method, request.uri_text, "alice")
        sent.headers.append("Proxy-Authorization", other)
        sent.headers.append("Authorization", other)
        alice.send(sent)
        got = await bob.hears(method)
        assert got.headers.texts("Proxy-Authorization") == [other]
        assert got.headers.texts("Authorization") == [other]


@simulated
async def test_what_is_tried_after_a_failure_bears_no_credentials_either() -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        first, second = await house.party("one", q=1.0, aor="bob"), await house.party("two", q=0.5, aor="bob")
        await prove(alice, alice.request("MESSAGE"))
        first.reply(await first.hears("MESSAGE"), 486)
        got = await second.hears("MESSAGE")
        assert "Proxy-Authorization" not in got.headers
        second.reply(got, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_nobody_calls_under_anothers_name() -> None:
    async with guarded() as house:
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        house.server.users.add("bob", DOMAIN, "another password")
        await prove(alice, alice.request("MESSAGE", from_=f"<sip:bob@{DOMAIN}>;tag=1"), user="alice")
        assert (await alice.hears("403 MESSAGE")).reason == "From Is Another User"
        await bob.hears_nothing()


@pytest.mark.parametrize(
    "from_", ["sip:carol@elsewhere.example", "tel:+15551234", "sip:anonymous@anonymous.invalid", "mailto:a@example.com"]
)
@simulated
async def test_callers_of_other_domains_are_refused(from_: str) -> None:
    async with guarded() as house:
        carol, bob = await house.party("carol"), await house.party("bob", q=1.0)
        carol.ask("MESSAGE", from_=f"<{from_}>;tag=1")
        await carol.hears("403 MESSAGE")
        carol.ask("MESSAGE", f"sip:{DOMAIN}", from_=f"<{from_}>;tag=1")
        await carol.hears("403 MESSAGE")
        await bob.hears_nothing()


@pytest.mark.parametrize("strangers", [False, True])
@simulated
async def test_a_user_without_a_phone_is_480_where_a_caller_may_know_who_is_a_user(strangers: bool) -> None:
    async with guarded(access=AccessConfig(trusted=["192.0.2.1"], accept_strangers=strangers)) as house:
        trunk, bob = await house.party("trunk"), await guest(house, "bob", "192.0.2.2")
        for name, status in ((bob.name, 404 if strangers else 480), ("nobody", 404)):
            for decision in (None, Location()):
                house.server.core.determination.route = None if decision is None else lambda request, value=decision: value
                trunk.ask("MESSAGE", f"sip:{name}@{DOMAIN}", from_="<sip:+4930123@elsewhere.example>;tag=1")
                await trunk.hears(f"{status} MESSAGE")


@pytest.mark.parametrize("trusted", ["192.0.2.1", "192.0.2.0/24", "0.0.0.0/0"])
@simulated
async def test_trusted_peers_need_no_password(trusted: str) -> None:
    async with guarded(access=AccessConfig(trusted=[trusted])) as house:
        trunk, bob = await house.party("trunk"), await house.party("bob", q=1.0)
        for from_ in ("sip:carol@elsewhere.example", f"sip:alice@{DOMAIN}", "tel:+15551234"):
            trunk.ask("MESSAGE", from_=f"<{from_}>;tag=1")
            bob.reply(await bob.hears("MESSAGE"), 200)
            await trunk.hears("200 MESSAGE")


@simulated
async def test_strangers_where_they_are_let_in_reach_users_and_nobody_else() -> None:
    relay = RelayConfig(allow=["partner.example"])
    async with guarded(access=AccessConfig(accept_strangers=True), relay=relay) as house:
        house.names["partner.example"] = ["203.0.113.1"]
        carol, bob, partner = await house.party("carol"), await house.party("bob", q=1.0), await house.party("partner", "203.0.113.1")
        from_ = "<sip:carol@elsewhere.example>;tag=1"
        carol.ask("MESSAGE", from_=from_)
        bob.reply(await bob.hears("MESSAGE"), 200)
        await carol.hears("200 MESSAGE")
        carol.ask("MESSAGE", "sip:x@partner.example", from_=from_)
        await carol.hears("403 MESSAGE")
        carol.ask("MESSAGE", from_=from_, extra="Route: <sip:partner.example;lr>")
        await carol.hears("403 MESSAGE")
        # Who says that he is one of ours has to show it all the same.
        carol.ask("MESSAGE", from_=f"<sip:bob@{DOMAIN}>;tag=1")
        await carol.hears("407 MESSAGE")
        await partner.hears_nothing()


@simulated
async def test_a_request_that_a_contact_sends_back_to_ourselves_is_not_asked_twice() -> None:
    async with guarded() as house:
        house.names[DOMAIN] = [SERVER]
        house.bind("support", f"sip:bob@{DOMAIN}")
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        await prove(alice, alice.request("MESSAGE", f"sip:support@{DOMAIN}"))
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")
        await prove(alice, alice.request("INVITE", f"sip:support@{DOMAIN}"))
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        assert len(invite.headers.texts("Record-Route")) == 2
        bob.reply(invite, 200)
        dialog = Dialog(alice, bob, invite, await alice.hears("200 INVITE"))
        alice.within("ACK", dialog, cseq=2)
        await bob.hears("ACK")
        bob.within("BYE", dialog)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


@simulated
async def test_options_to_the_server_itself_need_no_password() -> None:
    async with guarded() as house:
        carol = await house.party("carol")
        carol.ask("OPTIONS", f"sip:{DOMAIN}", from_="<sip:monitor@elsewhere.example>;tag=1")
        await carol.hears("200 OPTIONS")


# ACK and CANCEL are never challenged (§22.1)


@simulated
async def test_ack_and_cancel_are_never_challenged() -> None:
    async with guarded() as house:
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        sent = await prove(alice, alice.request("INVITE"))
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")
        alice.ack(sent, await alice.hears("487 INVITE"))
        # One that cancels nothing, an ACK that acknowledges nothing.
        alice.ask("CANCEL")
        await alice.hears("481 CANCEL")
        alice.ask("ACK", to=f"<sip:bob@{DOMAIN}>;tag=x")
        alice.ask("ACK", f"sip:{DOMAIN}")
        await alice.hears_nothing()
        await bob.hears_nothing()


# Within a dialog


@simulated
async def test_within_a_dialog_its_parties_need_no_password_where_they_were() -> None:
    async with guarded() as house:
        alice, bob = await registered(house, "alice"), await registered(house, "bob")
        dialog = await call(alice, bob)
        for one, other in ((alice, bob), (bob, alice)):
            one.within("INFO", dialog, cseq=5)
            other.reply(await other.hears("INFO"), 200)
            await one.hears("200 INFO")
        bob.within("BYE", dialog, cseq=6)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO", "NOTIFY", "REFER", "UPDATE"])
@simulated
async def test_who_has_moved_shows_the_password_or_registers_anew(method: str) -> None:
    async with guarded(waits=False) as house:
        alice, bob = await registered(house, "alice"), await registered(house, "bob")
        dialog = await call(alice, bob)
        there = await house.party("alice", "198.51.100.7")
        request = there.compose(method, dialog._replace(caller=there), cseq=5)
        again = answering(there, request, await challenged(there, request))
        await bob.hears_nothing()
        there.send(again)
        got = await bob.hears(method)
        assert "Proxy-Authorization" not in got.headers
        if method == "INVITE":
            await there.hears("100 INVITE")
            bob.reply(got, 200)
            dialog = dialog._replace(caller=there)
            await there.hears("200 INVITE")
            # §22.1: the ACK bears the credentials that the INVITE was accepted with; without any it vanishes.
            there.within("ACK", dialog, cseq=6)
            await bob.hears_nothing()
            credentials = again.headers.text("Proxy-Authorization")
            there.within("ACK", dialog, cseq=6, extra=f"Proxy-Authorization: {credentials}")
            await bob.hears("ACK")
        else:
            bob.reply(got, 200)
            await there.hears(f"200 {method}")
        await register(there, cseq=7)
        there.within("INFO", dialog._replace(caller=there), cseq=8)
        bob.reply(await bob.hears("INFO"), 200)
        await there.hears("200 INFO")
        there.within("ACK", dialog._replace(caller=there), cseq=8)
        await bob.hears("ACK")


@simulated
async def test_another_user_has_no_business_in_a_dialog() -> None:
    async with guarded() as house:
        alice, bob = await registered(house, "alice"), await registered(house, "bob")
        mallory = await registered(house, "mallory")
        dialog = await call(alice, bob)
        before = house.server.location.registered(f"sip:alice@{DOMAIN}")
        await prove(mallory, mallory.compose("BYE", dialog._replace(caller=mallory), cseq=5), user="mallory")
        assert (await mallory.hears("403 BYE")).reason == "From Is Another User"
        await bob.hears_nothing()
        assert house.server.location.registered(f"sip:alice@{DOMAIN}") == before


@simulated
async def test_a_trusted_peer_may_send_within_a_dialog_from_anywhere_it_is() -> None:
    async with guarded(access=AccessConfig(trusted=["203.0.113.0/24"])) as house:
        trunk, bob = await house.party("carol", "203.0.113.1"), await registered(house, "bob")
        trunk.ask("INVITE", from_="<sip:carol@elsewhere.example>;tag=1")
        await trunk.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 200)
        dialog = Dialog(trunk, bob, invite, await trunk.hears("200 INVITE"))
        other, stranger = await house.party("carol", "203.0.113.2"), await house.party("carol", "198.51.100.1")
        for method in ("ACK", "BYE"):
            stranger.within(method, dialog._replace(caller=stranger))
        await stranger.hears("403 BYE")
        await bob.hears_nothing()
        other.within("ACK", dialog._replace(caller=other), cseq=1)
        await bob.hears("ACK")
        other.within("BYE", dialog._replace(caller=other))
        bob.reply(await bob.hears("BYE"), 200)
        await other.hears("200 BYE")


# Where a dialog leads when nobody says who he is


@pytest.mark.parametrize("uri", ["sip:x@203.0.113.9", "sip:x@victim.example", "sip:x@192.0.2.1;maddr=203.0.113.9"])
@pytest.mark.parametrize("route", ["", "Route: <sip:203.0.113.9;lr>", "Route: <sip:victim.example;lr>"])
@simulated
async def test_who_calls_himself_opens_no_way_to_others(uri: str, route: str) -> None:
    async with House() as house:
        house.names["victim.example"] = ["203.0.113.9"]
        victim = await house.party("victim", "203.0.113.9")
        bob = await house.party("bob", "192.0.2.1", q=1.0)
        dialog = await house.call(bob, bob)
        for method in ("MESSAGE", "ACK"):
            request = bob.compose(method, dialog, extra=route)
            request.uri = uri
            bob.send(request)
        await bob.hears("403 MESSAGE")
        await victim.hears_nothing(40)
        assert {sent.destination[0] for sent in house.sent} == {bob.host}


@simulated
async def test_a_host_that_is_allowed_is_allowed_within_a_dialog_too() -> None:
    async with House(relay=RelayConfig(allow=["partner.example"])) as house:
        house.names["partner.example"] = ["203.0.113.9"]
        partner = await house.party("partner", "203.0.113.9")
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob)
        info = alice.compose("INFO", dialog, extra="Route: <sip:partner.example;lr>")
        alice.send(info)
        partner.reply(await partner.hears("INFO"), 200)
        await alice.hears("200 INFO")


@simulated
async def test_users_with_a_password_may_name_other_contacts() -> None:
    """A phone with two addresses: its Contact is the one, its messages come from the other."""
    async with guarded() as house:
        alice, bob = await registered(house, "alice"), await registered(house, "bob")
        other = await house.party("bob", "192.0.2.77")
        dialog = await call(alice, bob)
        info = alice.compose("INFO", dialog, cseq=3)
        info.uri = other.uri
        alice.send(info)
        other.reply(await other.hears("INFO"), 200)
        await alice.hears("200 INFO")
        info = alice.compose("INFO", dialog, cseq=4)
        info.uri = "sip:x@127.0.0.1"
        alice.send(info)
        await alice.hears("403 INFO")


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (f"sip:{SERVER}", 200),
        (f"sip:{SERVER}:5060;transport=udp", 200),
        (f"sip:{DOMAIN}", 200),
        ("sip:elsewhere.example", 407),
        (f"sip:carol@{DOMAIN}", 407),
        ("sip:192.0.2.9", 407),
        ("*", 407),
    ],
)
@simulated
async def test_credentials_name_the_request_uri_or_this_server(uri: str, status: int) -> None:
    """§22.4 item 6: some clients name the server they talk to in whatever they send it."""
    async with guarded(waits=False) as house:
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        obliging(bob)
        request = alice.request("MESSAGE")
        again = answering(alice, request, response := await challenged(alice, request))
        credentials = answer_to(challenges_of(response)["SHA-256"], "MESSAGE", uri, "alice")
        again.headers.set("Proxy-Authorization", credentials)
        alice.send(again)
        await alice.hears(f"{status} MESSAGE")


@simulated
async def test_a_domain_that_is_an_address_has_phones_at_that_address_too() -> None:
    """Everything on one machine, as whoever tries it out has it."""
    async with House(domains=("192.0.2.1",)) as house:
        alice, bob = await house.party("alice", "192.0.2.1", port=5070), await house.party("bob")
        house.bind("bob", bob.uri, domain="192.0.2.1")
        dialog = await house.call(alice, bob, "sip:bob@192.0.2.1")
        bob.within("BYE", dialog)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


# Nonces


@simulated
async def test_a_nonce_that_is_too_old_is_stale_and_the_next_is_taken() -> None:
    async with guarded(access=AccessConfig(nonce_seconds=60)) as house:
        alice = await guest(house, "alice")
        request = alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>")
        response = await challenged(alice, request)
        await asyncio.sleep(62)
        alice.send(answering(alice, request, response))
        stale: Response = await alice.hears("401 REGISTER")
        assert [params["stale"] for params in challenges_of(stale).values()] == ["true", "true"]
        alice.send(answering(alice, request, stale))
        await alice.hears("200 REGISTER")


@pytest.mark.parametrize("algorithms", [["MD5"], ["SHA-512-256", "SHA-256", "MD5"], ["SHA-256"]])
@simulated
async def test_the_algorithms_on_offer_are_the_configured_in_their_order(algorithms: list[str]) -> None:
    async with guarded(access=AccessConfig(algorithms=algorithms)) as house:  # type: ignore[arg-type]  # a list of some texts
        alice = await guest(house, "alice")
        request = alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>")
        response = await challenged(alice, request)
        assert list(challenges_of(response)) == algorithms
        alice.send(answering(alice, request, response, algorithm=algorithms[-1]))
        await alice.hears("200 REGISTER")


@simulated
async def test_a_user_may_need_a_better_algorithm_than_the_others() -> None:
    async with guarded() as house:
        alice = await house.party("alice")
        house.server.users.add("alice", DOMAIN, PASSWORD, minimum="SHA-256")
        request = alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>")
        response = await challenged(alice, request)
        alice.send(answering(alice, request, response, algorithm="MD5"))
        response = await alice.hears("401 REGISTER")
        alice.send(answering(alice, request, response))
        await alice.hears("200 REGISTER")
