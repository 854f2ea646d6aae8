"""The tables `[gateway.NAME]` and `[domain."NAME"]`: what they may say, and what a wrong one is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ringback.server.config import ConfigError, TrunkConfig
from ringback.server.config.file import example_config, read_config

TABLE = 'auth = "none"\n[gateway.pstn]\n'


def fault(tmp_path: Path, text: str) -> str:
    """What is said of a configuration that cannot be used."""
    file = tmp_path / "ringback.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        read_config(file)
    return re.sub(r"toml:\d+: ", "toml: ", str(error.value).replace(str(file), "ringback.toml"))


def test_a_gateway_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text(
        TABLE + 'trunks = ["sip:192.0.2.7", {uri = "sips:pstn.example.net", weight = 3, priority = 1}]\nprobe_seconds = 10\n'
        '[[route]]\nprefix = "0"\ngateway = "pstn"\n',
        "utf-8",
    )
    config = read_config(file)
    assert config.gateway["pstn"].trunks == [
        TrunkConfig(uri="sip:192.0.2.7"),
        TrunkConfig(uri="sips:pstn.example.net", weight=3, priority=1),
    ]
    assert config.gateway["pstn"].probe_seconds == 10


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TABLE + "trunks = []", 'gateway."pstn".trunks: must name at least one trunk, such as "sip:192.0.2.7"'),
        (TABLE, 'gateway."pstn".trunks: must name at least one trunk, such as "sip:192.0.2.7"'),
        (TABLE + 'trunks = ["192.0.2.7"]', "gateway.\"pstn\".trunks[0]: '192.0.2.7' is no SIP URI: not a SIP URI"),
        (TABLE + 'trunks = ["sip:a", "tel:+49301"]', "gateway.\"pstn\".trunks[1]: 'tel:+49301' is no SIP URI: not a SIP URI"),
        (TABLE + 'trunks = ["sip:a", "SIP:A"]', "gateway.\"pstn\".trunks[1]: 'SIP:A' stands there twice"),
        (TABLE + "trunks = [7]", 'gateway."pstn".trunks[0]: must be a table with the keys uri, weight, priority, is 7'),
        (
            TABLE + 'trunks = [{uri = "sip:a", weight = 0}]',
            'gateway."pstn".trunks[0].weight: must be a whole number from 1 to 65535, is 0',
        ),
        (TABLE + 'trunks = [{url = "sip:a"}]', 'gateway."pstn".trunks[0].url: no such key; did you mean uri?'),
        (TABLE + 'trunks = ["sip:a"]\nprobes = 3', 'gateway."pstn".probes: no such key; did you mean probe_seconds?'),
        (TABLE + f"trunks = {[f'sip:a{n}' for n in range(101)]}", 'gateway."pstn".trunks: may name 100 trunks at most'),
        (
            'auth = "none"\n[[route]]\nprefix = "0"\ngateway = "pstn"\n',
            "route[0].gateway: no table [gateway.pstn] says what that is",
        ),
        (
            'auth = "none"\n[edge]\nregistrar = "sip:r.example.org"\n[domain."a.test"]\nmode = "redirect"\n',
            'domain."a.test".mode: an edge proxy keeps state of what it forwards: no mode but stateful goes with [edge]',
        ),
        (
            'auth = "none"\n[edge]\nregistrar = "sip:r.example.org"\n[proxy]\nmode = "stateless"\n',
            "proxy.mode: an edge proxy keeps state of what it forwards: no mode but stateful goes with [edge]",
        ),
    ],
)
def test_a_wrong_table_is_told_what_is_allowed(tmp_path: Path, text: str, sentence: str) -> None:
    assert fault(tmp_path, text).startswith(f"ringback.toml: {sentence}")


def test_the_example_of_a_gateway_is_one(tmp_path: Path) -> None:
    _, _, rest = example_config().partition("# [gateway.")
    lines = [line.removeprefix("# ") for line in rest.partition("\n\n[")[0].split("\n")[1:] if " = " in line]
    file = tmp_path / "ringback.toml"
    file.write_text("\n".join([TABLE, *lines]), "utf-8")
    assert len(read_config(file).gateway["pstn"].trunks) == 2
