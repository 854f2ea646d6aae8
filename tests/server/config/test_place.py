"""A fault of the configuration names the line it stands in."""

from pathlib import Path

import pytest

from ringback.server.config import ConfigError
from ringback.server.config.file import read_config
from ringback.server.config.place import line_of

TEXT = """\
domains = [
    "example.org",
    "sip:x",
]
proxy.ring_for = 0          # dotted
drain = { seconds = -1 }

# [registrar]
[registrar]
max_contacts = 3
 min_expires=0

[domain."example.org"]
mode = "statefull"

[gateway.pstn]
trunks = ["sip:192.0.2.7"]

[[route]]
prefix = "0"
to = "sip:a@b"

[[route]]
to = 7
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("domains[1]", 1),
        ("proxy.ring_for", 5),
        ("drain.seconds", 6),
        ("registrar", 9),
        ("registrar.min_expires", 11),
        ("registrar.absent", 9),
        ("domain.example.org.mode", 14),
        ('gateway."pstn".trunks[0]', 17),
        ("route[0].to", 21),
        ("route[1].to", 24),
        ("route[1].prefix", 23),
        ("metrics.listen", None),
        ("max_contacts", None),
        ("", None),
    ],
)
def test_the_line_of_a_key(key: str, line: int | None) -> None:
    assert line_of(key, TEXT) == line


def test_a_fault_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text('auth = "none"\n\n[proxy]\ntimer_c = 1\n')
    with pytest.raises(ConfigError, match=r"ringback\.toml:4: proxy\.timer_c: must be a number above 180"):
        read_config(file)
    with pytest.raises(ConfigError, match=r"^--auth: must be"):
        read_config(file, {"auth": "open"})


def test_it_takes_linear_time_whatever_the_file() -> None:
    for text in ("[[a]]\n" * 50_000, "a=" * 200_000, "[" * 400_000, "x = 1\n" * 50_000):
        assert line_of("route[7].to", text) is None
