"""Answers to challenges, computed with nothing but hashlib: they share no code with what they test."""

import hashlib
import re
from typing import Any

from ringback.message.message import Request, Response
from tests.server.party import DOMAIN, Dialog, House, Message, Party

PASSWORD = "open sesame"
_PARAM = re.compile(r'([a-z]+)=(?:"([^"]*)"|([^, ]+))')
FIELDS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


def hashed(algorithm: str, text: str) -> str:
    """The hash of a text in hexadecimal digits."""
    return hashlib.new({"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm], text.encode()).hexdigest()


def challenges_of(response: Response) -> dict[str, dict[str, str]]:
    """The parameters of each challenge, by algorithm, in order."""
    found = {}
    for text in response.headers.texts(FIELDS[response.status][0]):
        assert text.startswith("Digest ")
        params = {name: quoted or bare for name, quoted, bare in _PARAM.findall(text)}
        found[params["algorithm"]] = params
    return found


def answer_to(
    challenge: dict[str, str], method: str, uri: str, user: str, password: str = PASSWORD, *, nc: int = 1, cnonce: str = "c0ffee"
) -> str:
    """The credentials that answer a challenge."""
    algorithm, realm, nonce = challenge["algorithm"], challenge["realm"], challenge["nonce"]
    first = hashed(algorithm, f"{user}:{realm}:{password}")
    second = hashed(algorithm, f"{method}:{uri}")
    response = hashed(algorithm, f"{first}:{nonce}:{nc:08x}:{cnonce}:auth:{second}")
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
        f'algorithm={algorithm}, cnonce="{cnonce}", qop=auth, nc={nc:08x}'
    )


async def challenged(party: Party, request: Request) -> Response:
    """Sends a request and gives the 401 or 407 it gets; an INVITE's is acknowledged."""
    party.send(request)
    kind = f"{401 if request.method == 'REGISTER' else 407} {request.method}"
    response: Response = await party.hears(kind)
    if request.method == "INVITE":
        party.ack(request, response)
    return response


def answering(party: Party, request: Request, response: Response, *, user: str = "", password: str = PASSWORD, **how: Any) -> Request:
    """The request over again with an answer to the challenges of a response, its CSeq one higher (§22.2)."""
    algorithm = how.pop("algorithm", "SHA-256")
    again = request.copy()
    again.headers.set("Via", f"SIP/2.0/UDP {party.host}:{party.port};branch={party.branch()}")
    again.headers.set("CSeq", f"{request.cseq.number + 1} {request.method}")
    credentials = answer_to(challenges_of(response)[algorithm], request.method, request.uri_text, user or party.name, password, **how)
    again.headers.append(FIELDS[response.status][1], credentials)
    return again


async def prove(party: Party, request: Request, **how: Any) -> Request:
    """Sends a request, lets itself be challenged, and sends it again with credentials; gives what was sent last."""
    again = answering(party, request, await challenged(party, request), **how)
    party.send(again)
    return again


def obliging(party: Party) -> None:
    """The party answers every request with 200 from now on."""

    def answer(message: Message) -> None:
        if isinstance(message, Request) and message.method != "ACK":
            party.reply(message, 200)

    party.on_message = answer


def guarded(**config: Any) -> House:
    """A house where users need passwords."""
    return House(auth="digest", **config)


async def guest(house: House, name: str, host: str | None = None, **how: Any) -> Party:
    """A party with an account of the usual password."""
    house.server.users.add(name, DOMAIN, PASSWORD)
    return await house.party(name, host, **how)


async def registered(house: House, name: str, host: str | None = None, **how: Any) -> Party:
    """A party with an account that has registered itself, with its password."""
    party = await guest(house, name, host, **how)
    await register(party)
    return party


async def register(party: Party, *, cseq: int = 1) -> Response:
    """Registers a party under its name; gives the 200."""
    request = party.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:{party.name}@{DOMAIN}>", contact=f"<{party.uri}>", cseq=cseq)
    await prove(party, request)
    response: Response = await party.hears("200 REGISTER")
    return response


async def call(caller: Party, callee: Party) -> Dialog:
    """A call between two registered parties, answered and acknowledged."""
    await prove(caller, caller.request("INVITE", f"sip:{callee.name}@{DOMAIN}"))
    await caller.hears("100 INVITE")
    invite = await callee.hears("INVITE")
    callee.reply(invite, 200)
    dialog = Dialog(caller, callee, invite, await caller.hears("200 INVITE"))
    caller.within("ACK", dialog, cseq=2)
    await callee.hears("ACK")
    return dialog
