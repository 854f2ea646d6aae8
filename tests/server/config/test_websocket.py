"""`[websocket]`: what it can say, and what it says of what cannot be."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from ringback.server.config import Config, ConfigError, WebSocketConfig
from ringback.server.config.file import read_config
from ringback.transport.limits import WebSocketRules


def written(folder: Path, text: str) -> Path:
    file = folder / "ringback.toml"
    file.write_text(text)
    return file


def test_everything_it_can_say(tmp_path: Path) -> None:
    text = """
listen = ["ws://127.0.0.1:8080", "ws://[::1]"]
[websocket]
origins = ["https://phone.example.org", "https://*.example.com"]
path = "/ws"
ping_seconds = 10
trusted_proxies = ["127.0.0.1", "2001:db8::/64"]
admission = "admission.py"
"""
    config = read_config(written(tmp_path, text))
    assert config.websocket.rules(is_open=False) == WebSocketRules(
        ("https://phone.example.org", "https://*.example.com"),
        "/ws",
        (ip_network("127.0.0.1/32"), ip_network("2001:db8::/64")),
        10.0,
    )
    assert config.websocket.admission == tmp_path / "admission.py"
    assert [(one.transport, one.host, one.port) for one in config.endpoints()] == [("WS", "127.0.0.1", 8080), ("WS", "::1", 80)]


def test_every_page_may_connect_where_passwords_are_asked_for_and_none_where_they_are_not() -> None:
    assert WebSocketConfig().rules(is_open=False).origins == ("*",)
    assert WebSocketConfig().rules(is_open=True).origins == ()
    assert WebSocketConfig(origins=["https://a.test"]).rules(is_open=True).origins == ("https://a.test",)
    assert WebSocketConfig(origins=[]).rules(is_open=False).origins == ()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('origins = ["phone.example.org"]', "websocket.origins[0]: 'phone.example.org': an origin is written https://HOST"),
        ('origins = ["*", "https://a.test/"]', "websocket.origins[1]: 'https://a.test/': an origin is written"),
        ('origins = ["https://phone*.test"]', "websocket.origins[0]: 'https://phone*.test': only a whole first label may be *"),
        ('path = "ws"', "websocket.path: 'ws' is no path; it begins with /"),
        ('path = "/ws?a"', "websocket.path: '/ws?a' is no path"),
        ('trusted_proxies = ["localhost"]', "websocket.trusted_proxies[0]: 'localhost' is no address or network"),
        ("ping_seconds = -1", "websocket.ping_seconds: must be"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, line: str, fault: str) -> None:
    file = written(tmp_path, f"[websocket]\n{line}\n")
    with pytest.raises(ConfigError) as refused:
        read_config(file)
    assert str(refused.value).startswith(f"{file}:2: {fault}") or str(refused.value).startswith(f"{file}: {fault}")


def test_wss_needs_a_certificate() -> None:
    with pytest.raises(ConfigError, match=r"'wss://0\.0\.0\.0:8443' needs a certificate"):
        Config(listen=["wss://0.0.0.0:8443"])
