"""Many users who register, refresh and unregister at a steady rate, and remember what they were answered."""

import random
import re
import select
import time
from collections.abc import Callable

from tests.interop.wire import DOMAIN, Peer, Reply, reply_of, request

# Contact URIs with the version each was last registered with.
Contacts = dict[str, str]

_CONTACT = re.compile(r"<([^>]*)>;v=(\w+)")


class User:
    """One address-of-record: what the server has promised, and what it may or may not have done since."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cseq = 0
        self.acknowledged: Contacts = {}
        self.possible: list[Contacts] = []
        self.wanted: Contacts | None = None
        self.asked_at = 0.0

    def describe(self) -> str:
        return f"{self.name}: acknowledged {self.acknowledged}, in flight {self.possible}"


class Registering:
    """The users and their one UDP socket. `run` keeps them busy, `check` asks the server about each of them."""

    def __init__(self, server: tuple[str, int], chance: random.Random, *, users: int, rate: float, is_refusal_final: bool = False) -> None:
        """`is_refusal_final`: what was answered 503 must not have happened, not even in part."""
        self.peer = Peer(server)
        self.peer.sock.setblocking(False)
        self.users = [User(f"user{number}") for number in range(users)]
        self.acknowledged = 0
        self.refused = 0
        self.slowest = 0.0
        self._is_refusal_final = is_refusal_final
        self._chance = chance
        self._interval = 1 / rate
        self._by_name = {user.name: user for user in self.users}

    def run(self, seconds: float) -> None:
        """Sends requests for so many seconds, each user one at a time, and takes in the answers meanwhile."""
        now = time.monotonic()
        end = now + seconds
        due = now
        while now < end:
            while due <= now:
                due += self._interval
                self._send_one()
            select.select([self.peer.sock], [], [], max(min(due, end) - time.monotonic(), 0))
            self.take_answers()
            now = time.monotonic()

    def _send_one(self) -> None:
        user = self._chance.choice(self.users)
        if user.wanted is not None:
            return
        self._send_change(user)

    def _send_change(self, user: User) -> None:
        chance = self._chance
        user.cseq += 1
        wanted = dict(user.acknowledged)
        uri = f"{self.peer.contact(user.name)};line={chance.randrange(3)}"
        what = chance.random()
        if what < 0.1:
            wanted.clear()
            more = ["Contact: *", "Expires: 0"]
        elif what < 0.3 and wanted:
            uri = chance.choice(sorted(wanted))
            del wanted[uri]
            more = [f"Contact: <{uri}>;expires=0"]
        else:
            wanted[uri] = f"c{user.cseq}"
            more = [f"Contact: <{uri}>;v=c{user.cseq};expires=600"]
        user.wanted = wanted
        user.asked_at = time.monotonic()
        user.possible.append(wanted)
        self._ask(user, *more)

    def _ask(self, user: User, *more: str) -> None:
        text = request("REGISTER", f"sip:{DOMAIN}", self.peer.here, *more, to=f"sip:{user.name}@{DOMAIN}", cseq=user.cseq, call=user.name)
        self.peer.send(text)

    def take_answers(self) -> list[tuple[User, Reply]]:
        """Reads what has come and keeps account of it."""
        taken: list[tuple[User, Reply]] = []
        while True:
            try:
                data = self.peer.sock.recv(65_536)
            except ConnectionRefusedError:
                continue
            except BlockingIOError:
                return taken
            reply = reply_of(data)
            user = self._by_name[reply.field("Call-ID")]
            if reply.status < 200 or reply.field("CSeq") != f"{user.cseq} REGISTER":
                continue
            taken.append((user, reply))
            if user.wanted is None:
                continue
            self.slowest = max(self.slowest, time.monotonic() - user.asked_at)
            if reply.status == 200:
                self.acknowledged += 1
                assert contacts_of(reply) == user.wanted, f"answered otherwise than asked: {reply.text}"
                user.acknowledged = user.wanted
                user.possible = []
            else:
                assert reply.status == 503, reply.text
                assert reply.field("Retry-After"), reply.text
                self.refused += 1
                if self._is_refusal_final:
                    user.possible = []
            user.wanted = None

    def run_until(self, is_so: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
        """Keeps the users busy until something is so; fails with `what` where that takes longer."""
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"not within {seconds:g} s: {what} ({self.acknowledged} acknowledged, {self.refused} refused)"
            self.run(0.05)

    def settle(self, seconds: float = 5.0) -> None:
        """Waits for the answers still due."""
        end = time.monotonic() + seconds
        while waiting := [user for user in self.users if user.wanted is not None]:
            left = end - time.monotonic()
            assert left > 0, f"{len(waiting)} REGISTER without an answer for {seconds:g} s, that of {waiting[0].name} among them"
            select.select([self.peer.sock], [], [], left)
            self.take_answers()

    def check(self, seconds: float) -> list[str]:
        """Asks about every user until each has been answered, from the first moment on: the first answer counts. Gives the faults."""
        faults: list[str] = []
        for user in self.users:
            user.wanted = None
            user.cseq += 1
        open_ = {user.name: user for user in self.users}
        end = time.monotonic() + seconds
        while open_:
            if time.monotonic() > end:
                return [*faults, f"{len(open_)} users were not answered within {seconds:g} s"]
            # A few at a time: nobody's buffer overflows, and a server that is not there yet costs nothing.
            for user in list(open_.values())[:30]:
                self._ask(user)
            turn = time.monotonic() + 0.05
            asked = min(30, len(open_))
            while asked and (left := turn - time.monotonic()) > 0:
                select.select([self.peer.sock], [], [], left)
                for user, reply in self.take_answers():
                    if open_.pop(user.name, None) is None:
                        continue
                    asked -= 1
                    found = contacts_of(reply)
                    if reply.status != 200 or found not in (user.acknowledged, *user.possible):
                        faults.append(f"answered {reply.status} with {found} for {user.describe()}")
                    user.acknowledged, user.possible = found, []
        return faults

    def close(self) -> None:
        self.peer.close()


def contacts_of(reply: Reply) -> Contacts:
    """The bindings that a 200 lists."""
    return dict(_CONTACT.findall(reply.field("Contact")))
