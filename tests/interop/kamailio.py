"""Kamailio, another server: started with one of the configurations beside this file, ready when it answers OPTIONS."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.interop.ports import free_port
from tests.interop.running import Running, patiently
from tests.interop.wire import Peer


@contextmanager
def running_kamailio(program: str, folder: Path, name: str, *, port: int = 0, **values: object) -> Iterator[tuple[str, int]]:
    """Where it is; `values` take the place of what stands between @ in the configuration called so, the port too."""
    address = ("127.0.0.1", port or free_port())
    with Running("kamailio", _command(program, folder, name, {**values, "port": address[1]}), folder=folder) as kamailio:
        try:
            _wait_until_it_answers(kamailio, address)
            yield address
        except BaseException as error:
            error.add_note(kamailio.account("was running meanwhile"))
            raise
        finally:
            # Asked to end, it ends the processes it is made of; killed, it would leave them behind.
            assert kamailio.end() == 0, kamailio.account("did not end well")


class MortalKamailio:
    """One that may be frozen and killed, with all the processes it is made of."""

    def __init__(self, program: str, folder: Path, name: str, **values: object) -> None:
        self.port = free_port()
        self._running = Running("kamailio", _command(program, folder, name, {**values, "port": self.port}), folder=folder)

    def _signal(self, number: int) -> None:
        # The parent first: it would end the others, or itself, where one of them dies.
        for pid in [self._running.pid, *_children_of(self._running.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def freeze(self) -> None:
        """It says nothing from now on, and its sockets stay."""
        self._signal(signal.SIGSTOP)

    def kill(self) -> None:
        """kill -9."""
        if self._running.process.poll() is None:
            self._signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        try:
            _wait_until_it_answers(self._running, ("127.0.0.1", self.port))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._running.stop()


def _children_of(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"\nPPid:\t{parent}\n" in status.read_text():
                found.append(int(status.parent.name))
        except OSError:
            continue
    return found


def _command(program: str, folder: Path, name: str, values: Mapping[str, object]) -> list[str]:
    config = folder / name
    config.write_text(_filled(Path(__file__).with_name(name).read_text(), values))
    return [program, "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-P", str(folder / "pid"), "-Y", str(folder)]


def _filled(text: str, values: Mapping[str, object]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name.upper()}@", str(value))
    return text


def _wait_until_it_answers(kamailio: Running, address: tuple[str, int]) -> None:
    """Asks OPTIONS until something comes back."""
    with Peer(address) as peer:

        def answers() -> bool:
            assert kamailio.process.poll() is None, kamailio.account("ended")
            peer.send(peer.options())
            return peer.receive(0.05) is not None

        patiently(answers, "kamailio answers")
