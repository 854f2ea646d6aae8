"""CPU per call (or per REGISTER) of the running server, driven by SIPp on loopback, in turn with Kamailio where it is installed.

    ./dev bench calls [--work WORK] [--transport udp|tcp|tls] [--rate N] [--calls N] [--pairs N] [--no-peer]

Each run is a fresh process and a fresh folder. A call is INVITE 100 180 200 ACK BYE 200 through a record-routing, transaction-stateful
proxy with a location lookup; `stateless` is the same through a proxy that keeps nothing, `redirect` is INVITE 302 ACK. `register-password`
is REGISTER 401 REGISTER 200, written through as `register-durable` is. Caller and callee use the same transport, over TCP and TLS one
connection each. The exit status is 1 where a call failed. Needs sipp (Debian: sip-tester), and stunnel4 for TLS; the peer needs kamailio,
kamailio-sqlite-modules with sqlite3 where bindings are written through, and kamailio-tls-modules for TLS.
"""

import argparse
import csv
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.certificate import certify
from benchmarks.processes import LOOPBACK, cpu_seconds, free_port, memory_kb, start, stop, wait_until_answering

SCENARIOS = Path(__file__).with_name("scenarios")
QUIET: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
Command = Callable[[int, Path], list[str]]
CALLS = {"call": "caller.xml", "stateless": "caller.xml", "redirect": "redirected.xml"}
REGISTRATIONS = {"register": "register.xml", "register-durable": "register.xml", "register-password": "register_with_password.xml"}
TABLES = {
    "stateless": '[domain."example.test"]\nmode = "stateless"\n',
    "redirect": '[domain."example.test"]\nmode = "redirect"\n',
    # SIPp knows no other, nor does the peer.
    "register-password": '[access]\nalgorithms = ["MD5"]\n',
}
DURABLE = ("register-durable", "register-password")
PASSWORD = "opensesame"

TRANSPORTS = {"udp": "u1", "tcp": "t1", "tls": "t1"}
"""What SIPp speaks: Debian's knows no TLS, so it speaks TCP to a stunnel that speaks TLS with the server."""

TUNNELS = """\
foreground = yes
pid =
[caller]
client = yes
accept = {host}:{near}
connect = {host}:{server}
[callee]
cert = certificate.pem
key = key.pem
accept = {host}:{far}
connect = {host}:{callee}
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run showed."""

    succeeded: int
    failed: int
    retransmissions: int
    cpu: float
    """CPU microseconds of the server per success."""
    load: float
    p50: float
    p99: float
    """Milliseconds from INVITE to 200, as the caller saw them."""
    grown: int
    """Proportional memory the run added, kB."""


def stream_port(port: int, transport: str) -> int:
    """Where TCP or TLS is listened on beside UDP: TCP at the same port, TLS at the next, as by default."""
    return port + (transport == "tls")


def ours(work: str, transport: str) -> Command:
    """This tree's server."""

    def command(port: int, folder: Path) -> list[str]:
        program = str(Path(sys.executable).with_name("ringback"))
        data = str(folder / "data") if work in DURABLE else ":memory:"
        options = ["--domain", "example.test", "--listen", f"udp://{LOOPBACK}:{port}", "--data", data]
        if work == "register-password":
            add = [program, "user", "add", "u0@example.test", "--data", data, "--password-stdin"]
            subprocess.run(add, input=f"{PASSWORD}\n", text=True, check=True, stdout=subprocess.DEVNULL)
        else:
            options += ["--auth", "none"]
        tables = TABLES.get(work, "")
        if transport == "tls":
            # The callee's certificate is the server's own, which does not name an address: as the peer, this asks for none.
            tables += '[tls]\ncertificate = "certificate.pem"\nkey = "key.pem"\nverify = false\n'
            options += ["--listen", f"tls://{LOOPBACK}:{stream_port(port, transport)}"]
        if tables:
            (folder / "server.toml").write_text(tables, "utf-8")
            options += ["--config", str(folder / "server.toml")]
        return [program, "serve", *options]

    return command


def kamailio(work: str, transport: str) -> Command:
    """The peer, with one worker and its faster allocator; write-through to SQLite for register-durable."""

    def command(port: int, folder: Path) -> list[str]:
        is_durable = work in DURABLE
        switches = {
            "DURABLE": is_durable,
            "MEMORY": not is_durable,
            "PASSWORD": work == "register-password",
            "STATELESS": work == "stateless",
            "REDIRECT": work == "redirect",
            "DATAGRAM": transport == "udp",
            "STREAM": transport != "udp",
            "TLS": transport == "tls",
        }
        values = {"PORT": port, "FOLDER": folder, "TRANSPORT": transport, "STREAM_PORT": stream_port(port, transport)}
        text = (SCENARIOS / "kamailio.cfg").read_text("utf-8")
        for name, value in (*((name, "" if is_on else "# ") for name, is_on in switches.items()), *values.items()):
            text = text.replace(f"@{name}@", str(value))
        configuration = folder / "kamailio.cfg"
        configuration.write_text(text, "utf-8")
        if is_durable:
            database = str(folder / "kamailio.db")
            for part in ("standard-create", "usrloc-create"):
                script = Path(f"/usr/share/kamailio/db_sqlite/{part}.sql").read_text("utf-8")
                subprocess.run(["sqlite3", database], input=script, text=True, check=True)
            subprocess.run(["sqlite3", database, "PRAGMA journal_mode=WAL"], check=True, **QUIET)
        memory = ["-m", "2048", "-M", "32", "-x", "tlsf", "-X", "tlsf"]
        return ["kamailio", "-f", str(configuration), "-DD", "-E", *memory, "-Y", str(folder)]

    return command


def sipp(folder: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    """SIPp in `folder`, silent."""
    return subprocess.Popen(["sipp", *map(str, arguments), "-i", LOOPBACK, "-nostdin", "-buff_size", "4000000"], cwd=folder, **QUIET)


def wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Waits for SIPp, and ends it when it takes longer."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def measure(command: Command, work: str, transport: str, rate: int, calls: int) -> Result:
    """One run against a fresh server."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-bench-"))
    server = callee = tunnel = None
    try:
        port, callee_port = free_port(), free_port()
        near, far = stream_port(port, transport), callee_port
        if transport == "tls":
            near, far = free_port(), free_port()
            certify(folder, "example.test")
            tunnels = TUNNELS.format(host=LOOPBACK, near=near, server=stream_port(port, transport), far=far, callee=callee_port)
            (folder / "stunnel.conf").write_text(tunnels, "utf-8")
            tunnel = subprocess.Popen(["stunnel4", "stunnel.conf"], cwd=folder, **QUIET)
        with (folder / "server.log").open("wb") as log:
            server = start(command(port, folder), log)
        try:
            wait_until_answering(server, port)
        except RuntimeError as error:
            raise SystemExit(f"bench: {error}\n{(folder / 'server.log').read_text('utf-8', 'replace')}") from error
        time.sleep(0.5)
        parameter = "" if transport == "udp" else f";transport={transport}"
        keys = ["-key", "contact_params", parameter, "-key", "contact", f"{LOOPBACK}:{far}{parameter}"]
        way = ["-t", TRANSPORTS[transport], *keys]
        target = f"{LOOPBACK}:{near}"
        users = folder / "users.csv"
        if work in CALLS:
            users.write_text(f"SEQUENTIAL\nbob;{far}\n", "utf-8")
            # Over UDP: who registers over TLS is called down that connection, and SIPp's would be gone.
            wait(sipp(folder, f"{LOOPBACK}:{port}", *keys, "-sf", SCENARIOS / "register.xml", "-inf", users, "-m", 1), 10)
            callee = sipp(folder, *way, "-sf", SCENARIOS / "callee.xml", "-p", callee_port, "-m", calls)
            time.sleep(0.3)
            scenario: list[object] = ["-sf", SCENARIOS / CALLS[work]]
        else:
            # One user proves himself again and again, for ten phones at the most; who need not may be as many as there are calls.
            count, name = (10, "u0") if work == "register-password" else (calls, "u{n}")
            lines = (f"{name.format(n=n)};{20_000 + n % 40_000}\n" for n in range(count))
            users.write_text("SEQUENTIAL\n" + "".join(lines), "utf-8")
            scenario = ["-sf", SCENARIOS / REGISTRATIONS[work], "-inf", users]
        statistic = ["-trace_stat", "-stf", "stat.csv", "-fd", 1, "-trace_rtt", "-rtt_freq", 50]
        memory, cpu, begin = memory_kb(server.pid), cpu_seconds(server.pid), time.monotonic()
        wait(sipp(folder, target, *way, *scenario, "-r", rate, "-m", calls, "-l", 200_000, *statistic), calls / rate + 15)
        wall, cpu, memory = time.monotonic() - begin, cpu_seconds(server.pid) - cpu, memory_kb(server.pid) - memory
        return _result(folder, calls, cpu, wall, memory)
    finally:
        for process in (callee, tunnel, server):
            stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _result(folder: Path, calls: int, cpu: float, wall: float, grown: int) -> Result:
    with (folder / "stat.csv").open(encoding="latin-1", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    last = dict(zip(rows[0], rows[-1], strict=False))
    succeeded = int(last["SuccessfulCall(C)"])
    times = []
    for path in folder.glob("*_rtt.csv"):
        for line in path.read_text("latin-1").split("\n")[1:]:
            cells = line.split(";")
            if len(cells) > 1:
                times.append(float(cells[1]))
    times.sort()

    def quantile(part: float) -> float:
        return times[min(len(times) - 1, int(part * len(times)))] if times else float("nan")

    per = cpu / max(succeeded, 1) * 1e6
    again = int(last["Retransmissions(C)"])
    return Result(succeeded, calls - succeeded, again, per, cpu / wall, quantile(0.5), quantile(0.99), grown)


def show(name: str, work: str, result: Result) -> None:
    """One line for one run."""
    print(
        f"{name:9} {work}: {result.succeeded} ok, {result.failed} failed, {result.retransmissions} retransmissions, "
        f"{result.cpu:.1f} µs CPU each, load {result.load:.2f}, p50 {result.p50:.1f} p99 {result.p99:.1f} ms, +{result.grown} kB",
        flush=True,
    )


def main(arguments: list[str]) -> int:
    """Runs the pairs and prints the median ratio."""
    parser = argparse.ArgumentParser(prog="./dev bench calls", description="CPU per call, beside Kamailio.")
    parser.add_argument("--work", choices=[*CALLS, *REGISTRATIONS], default="call")
    parser.add_argument("--transport", choices=list(TRANSPORTS), default="udp")
    parser.add_argument("--rate", type=int, default=800, help="calls (registrations) per second")
    parser.add_argument("--calls", type=int, default=4000, help="calls of each run")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each server")
    parser.add_argument("--no-peer", action="store_true", help="measure Ringback alone")
    chosen = parser.parse_args(arguments)
    if shutil.which("sipp") is None:
        print("bench: sipp is not installed (Debian: sip-tester)", file=sys.stderr)
        return 2
    if chosen.transport == "tls" and shutil.which("stunnel4") is None:
        print("bench: stunnel4 is not installed", file=sys.stderr)
        return 2
    has_peer = shutil.which("kamailio") is not None and not chosen.no_peer
    if not has_peer:
        print("Ringback alone: compare these figures with nothing but another run on this machine.")
    failures, ratios = 0, []
    for _ in range(chosen.pairs):
        mine = measure(ours(chosen.work, chosen.transport), chosen.work, chosen.transport, chosen.rate, chosen.calls)
        show("ringback", chosen.work, mine)
        failures += mine.failed
        if has_peer:
            theirs = measure(kamailio(chosen.work, chosen.transport), chosen.work, chosen.transport, chosen.rate, chosen.calls)
            show("kamailio", chosen.work, theirs)
            if theirs.failed == 0:
                ratios.append(mine.cpu / theirs.cpu)
    if ratios:
        spread = f"min {min(ratios):.2f}, max {max(ratios):.2f}, {len(ratios)} pairs"
        print(f"CPU per {chosen.work} over {chosen.transport}, ringback ÷ kamailio: median {statistics.median(ratios):.2f} ({spread})")
    return 1 if failures else 0
