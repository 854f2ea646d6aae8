"""`./dev bench [NAME] [options]`: without a name, the benchmarks that need no other program."""

import importlib
import subprocess
import sys
from pathlib import Path

ALONE = ("parser", "transactions", "proxy", "memory", "idle", "connections")
WITH_PEERS = ("calls", "agents", "soak")
ROOT = Path(__file__).resolve().parents[1]


def sipbench(arguments: list[str]) -> int:
    """The comparison that lies in a folder beside the project, where there is one, against this tree's server."""
    for folder in ROOT.parents[:2]:
        found = sorted(folder.glob("*/bench/sipbench.py"))
        if found:
            break
    else:
        print("bench: no sipbench.py lies beside the project; ./dev bench calls measures the same", file=sys.stderr)
        return 2
    if not any(argument.startswith("--server") for argument in arguments):
        program = Path(sys.executable).with_name("ringback")
        server = f"{program} serve --auth none --domain example.test --data {{dir}} --listen udp://127.0.0.1:{{port}}"
        arguments = ["--server", server, *arguments]
    return subprocess.run([sys.executable, str(found[0]), *arguments], check=False).returncode


def main(arguments: list[str]) -> int:
    """Runs the named benchmark, or all that stand alone."""
    if arguments and arguments[0] == "sipbench":
        return sipbench(arguments[1:])
    names = [arguments[0]] if arguments else list(ALONE)
    if names[0] not in (*ALONE, *WITH_PEERS):
        print(f"bench: no benchmark {names[0]!r}; there are {', '.join((*ALONE, *WITH_PEERS, 'sipbench'))}", file=sys.stderr)
        return 2
    status = 0
    for name in names:
        print(f"— {name}")
        status = importlib.import_module(f"benchmarks.{name}").main(arguments[1:]) or status
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
