"""kill -9 in the middle of 500 REGISTER a second: what was answered 200 is there afterwards, what was removed is not (T04).

The server is the real one, on a real disk. It is killed at any time, also while it starts, and started again on the same data; from
the first moment on it is asked about every user: its first answer must be right already.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.server import RunningServer
from tests.interop.wire import DOMAIN, Peer, reply_of, request
from tests.reliability.registering import Registering

RATE = 500
USERS = 300


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path, seed: int, long_form: bool) -> None:
    chance = random.Random(seed)
    server = RunningServer(tmp_path)
    registering = Registering(server.address, chance, users=USERS, rate=RATE)
    in_flight = 0
    rounds = 50 if long_form else 8
    server.launch()
    try:
        with called(server) as statuses:
            for number in range(rounds):
                faults = registering.check(20)
                assert faults == [], server.running.account(f"after kill {number}")
                registering.run(chance.uniform(0.05, 1.0))
                server.kill()
                registering.take_answers()
                in_flight += sum(bool(user.possible) for user in registering.users)
                server.launch()
                if chance.random() < 0.3:
                    # Killed again, most likely while it starts.
                    threading.Event().wait(chance.uniform(0, 0.4))
                    server.kill()
                    server.launch()
            assert registering.check(20) == []
        assert set(statuses) == {200}, "a call to somebody who is registered found nobody"
        server.end()
        with server:
            assert registering.check(20) == [], "after an orderly end"
    finally:
        registering.close()
        server.running.stop()
    print(f"kill -9: {registering.acknowledged} answered 200, none lost; {in_flight} in flight when killed, {len(statuses)} calls")
    assert registering.acknowledged > rounds * 20
    assert in_flight > 0


@contextmanager
def called(server: RunningServer) -> Iterator[list[int]]:
    """A phone that is registered before the first kill, and OPTIONS sent to it all the time: the status of every answer."""
    statuses: list[int] = []
    stopping = threading.Event()
    with Peer(server.address, "127.0.0.2") as phone, Peer(server.address, "127.0.0.3") as caller:
        assert phone.ask(phone.register("phone", phone.contact("phone"), expires=3600), seconds=20).status == 200

        def answer() -> None:
            while not stopping.is_set():
                data = phone.receive(0.05)
                if data is not None and data.startswith(b"OPTIONS "):
                    head = data.decode().split("\r\n")
                    kept = [line for line in head if line.partition(":")[0].lower() in ("via", "v", "from", "to", "call-id", "cseq")]
                    phone.send("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]))

        def call() -> None:
            while not stopping.wait(0.002):
                caller.send(request("OPTIONS", f"sip:phone@{DOMAIN}", caller.here))
                data = caller.receive(0.01)
                if data is not None:
                    statuses.append(reply_of(data).status)

        threads = [threading.Thread(target=run) for run in (answer, call)]
        for thread in threads:
            thread.start()
        try:
            yield statuses
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
