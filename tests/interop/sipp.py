"""sipp as caller and callee, by the scenarios beside this file and by those built into it."""

from collections.abc import Sequence
from pathlib import Path

from tests.interop.running import PATIENCE, Running, patiently

SCENARIOS = Path(__file__).parent / "scenarios"


class Sipp(Running):
    """One sipp with one scenario; `finish` waits until its calls have ended and shows what went wrong."""

    def __init__(
        self,
        program: str,
        scenario: str,
        *,
        here: tuple[str, int],
        server: tuple[str, int],
        user: str,
        folder: Path,
        transport: str = "udp",
        calls: int = 1,
        rate: int = 100,
        pause: int = 0,
        more: Sequence[str] = (),
        is_built_in: bool = False,
    ) -> None:
        """`calls` at `rate` a second from or at the address `here`; `user` is the callee; `pause` in milliseconds is the scenario's own.

        With `is_built_in` the scenario is one that sipp itself has, under this name.
        """
        self.errors = folder / f"{scenario}-{here[1]}.errors"
        self.messages = folder / f"{scenario}-{here[1]}.messages"
        host, port = server
        command = [
            program, *(("-sn", scenario) if is_built_in else ("-sf", str(SCENARIOS / f"{scenario}.xml"))), "-s", user,
            "-i", here[0], "-p", str(here[1]), "-t", {"udp": "u1", "tcp": "t1"}[transport],
            "-m", str(calls), "-r", str(rate), "-d", str(pause),
            "-nostdin", "-timeout", f"{PATIENCE:g}s", "-timeout_error", "-deadcall_wait", "0", "-timer_resol", "1",
            "-trace_err", "-error_file", str(self.errors), "-trace_msg", "-message_file", str(self.messages),
            *more, f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        ]  # fmt: skip
        super().__init__(f"sipp {scenario}", command, folder=folder, environment={"TERM": "dumb"})
        self.here = here
        self._transport = transport

    def wait_until_it_listens(self) -> "Sipp":
        """A callee is ready when its port is bound."""
        patiently(lambda: self.process.poll() is not None or is_bound(self.here, self._transport), f"{self.name} listens")
        if self.process.poll() is not None:
            self.wait()
            raise AssertionError(self.account("ended before it listened"))
        return self

    def finish(self, seconds: float = PATIENCE + 5) -> None:
        """Waits for its end; every call must have gone as its scenario says."""
        status = self.wait(seconds)
        if status != 0:
            kept = [path.read_text("utf-8", "replace")[-4000:] for path in (self.errors, self.messages) if path.exists()]
            raise AssertionError(self.account("failed") + "\n" + "\n".join(kept))

    def heard(self) -> str:
        """Every message it sent and received, as its log has them; each begins with a line of dashes."""
        return self.messages.read_text("utf-8", "replace")


def is_bound(here: tuple[str, int], transport: str) -> bool:
    """Whether some process has this port bound (for TCP: listens on it)."""
    table = Path(f"/proc/net/{transport}{'6' if ':' in here[0] else ''}").read_text()
    end = f":{here[1]:04X}"
    rows = [line.split() for line in table.split("\n")[1:] if line]
    return any(row[1].endswith(end) and (transport == "udp" or row[3] == "0A") for row in rows)
