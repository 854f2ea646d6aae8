"""The table `tls` of the configuration: where its files are, and when TLS is listened on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ringback.server.config import Config, ConfigError, TlsConfig
from ringback.server.config.file import read_config


def written(folder: Path, text: str) -> Path:
    file = folder / "ringback.toml"
    file.write_text(f'auth = "none"\n{text}\n')
    return file


def test_files_are_beside_the_configuration_and_those_of_the_command_line_are_not(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[tls]\ncertificate = "a.pem"\nkey = "a.key"\ntrust = "/roots.pem"\n[[tls.certificates]]\ncertificate = "b.pem"\nkey = "b.key"',
    )
    tls = read_config(file).tls
    assert (tls.certificate, tls.key, tls.trust, tls.revoked) == (tmp_path / "a.pem", tmp_path / "a.key", Path("/roots.pem"), None)
    assert [(one.certificate, one.key) for one in tls.certificates] == [(tmp_path / "b.pem", tmp_path / "b.key")]
    tls = read_config(file, {"tls": {"certificate": "c.pem"}}).tls
    assert (tls.certificate, tls.key) == (Path("c.pem"), tmp_path / "a.key")


def test_who_has_a_certificate_and_is_told_nothing_listens_over_tls_too(tmp_path: Path) -> None:
    table = '[tls]\ncertificate = "a.pem"'
    assert read_config(written(tmp_path, table)).listen == ["udp://0.0.0.0:5060", "tls://0.0.0.0:5061"]
    assert read_config(written(tmp_path, f'listen = ["udp://127.0.0.1"]\n{table}')).listen == ["udp://127.0.0.1"]


def test_tls_needs_a_certificate() -> None:
    with pytest.raises(ConfigError, match=r"listen\[1\]: 'tls://127.0.0.1' needs a certificate: name it as certificate in the table tls"):
        Config(listen=["udp://127.0.0.1", "tls://127.0.0.1"])
    assert Config(listen=["tls://127.0.0.1"], tls=TlsConfig(certificate=Path("a.pem"))).endpoints()[0].is_secure


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('key = "a.key"', "tls.key: names a key but no certificate"),
        ('client_certificates = "always"', 'tls.client_certificates: must be "required" or "optional" or "none", is \'always\''),
        ("certificates = [3]", "tls.certificates[0]: must be a table with the keys certificate, key, is 3"),
        ('certificates = [{certifcate = "a.pem"}]', "tls.certificates[0].certifcate: no such key; did you mean certificate?"),
        ("certificates = [{certificate = 3}]", "tls.certificates[0].certificate: must be a path, as text, is 3"),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_config(written(tmp_path, f"[tls]\n{text}"))
    assert re.sub(r"toml:\d+: ", "toml: ", str(raised.value)) == f"{tmp_path}/ringback.toml: {sentence}"
