"""Kamailio, another server: started with one of the configurations beside this file, ready when it answers OPTIONS."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.interop.ports import free_port
from tests.interop.running import Running, patiently
from tests.interop.wire import Peer


@contextmanager
def running_kamailio(program: str, folder: Path, name: str, *, port: int = 0, **values: object) -> Iterator[tuple[str, int]]:
    """Where it is; `values` take the place of what stands between @ in the configuration called so, the port too."""
    port = port or free_port()
    config = folder / name
    config.write_text(_filled(Path(__file__).with_name(name).read_text(), {**values, "port": port}))
    command = [program, "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-P", str(folder / "pid"), "-Y", str(folder)]
    address = ("127.0.0.1", port)
    with Running("kamailio", command, folder=folder) as kamailio:
        try:
            _wait_until_it_answers(kamailio, address)
            yield address
        except BaseException as error:
            error.add_note(kamailio.account("was running meanwhile"))
            raise
        finally:
            # Asked to end, it ends the processes it is made of; killed, it would leave them behind.
            assert kamailio.end() == 0, kamailio.account("did not end well")


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
