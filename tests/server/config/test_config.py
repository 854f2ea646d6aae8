"""The configuration: defaults, what each wrong key is told, and the example that documents itself."""

import re
import tomllib
from pathlib import Path

import pytest
from msgspec import Struct, structs

from ringback.message.limits import MessageLimits
from ringback.server.config import Config, ConfigError, LimitsConfig, RegistrarConfig, default_data_folder
from ringback.server.config.file import example_config, read_config
from ringback.transport.limits import StreamLimits
from ringback.transport.listening import listening_point


def read(tmp_path: Path, text: str, **options: object) -> Config:
    file = tmp_path / "ringback.toml"
    file.write_text(text, encoding="utf-8")
    return read_config(file, options)


def fault(tmp_path: Path, text: str, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, **options)
    # In which line is the affair of test_config_place.py.
    sentence = re.sub(r"toml:\d+: ", "toml: ", str(caught.value)).replace(f"{tmp_path}/", "")
    assert "\n" not in sentence
    return sentence


def test_what_holds_when_nothing_is_said() -> None:
    config = Config(auth="none")
    assert config.domains == []
    assert [(point.transport, point.host, point.port) for point in config.endpoints()] == [("UDP", "0.0.0.0", 5060)]
    assert config.data is None
    assert config.routing is None
    assert config.registrar.default_expires == 3600
    assert config.registrar.max_contacts == 10
    assert config.proxy.record_route
    assert config.proxy.timer_c > 180
    assert config.relay.allow == []
    assert config.limits.message == MessageLimits()
    assert not config.trace.ladder
    assert config.drain.seconds == 32


def test_no_server_is_open_unless_asked_for_by_name() -> None:
    config = Config()
    assert config.auth == "digest"
    assert config.access.algorithms == ["SHA-256", "MD5"]
    assert config.access.trusted == []
    assert not config.access.accept_strangers


def test_a_whole_file() -> None:
    config = Config(
        auth="none",
        domains=["Example.TEST.", "example.test", "[0::1]", "192.0.2.1"],
        listen=["udp://127.0.0.1", "tcp://[::1]:5070", "udp://localhost:0"],
        advertise="SIP.example.test",
    )
    assert config.domains == ["example.test", "::1", "192.0.2.1"]
    points = config.endpoints()
    assert [(point.transport, point.host, point.port) for point in points] == [
        ("UDP", "127.0.0.1", 5060),
        ("TCP", "::1", 5070),
        ("UDP", "127.0.0.1", 0),
    ]
    assert points[0].sent_by == "sip.example.test:5060"


def test_every_limit_of_a_message_has_its_key() -> None:
    assert set(MessageLimits._fields) < {*LimitsConfig.__struct_fields__}
    assert LimitsConfig(via_count=3).message.via_count == 3


def test_the_limits_of_connections() -> None:
    assert LimitsConfig().stream == StreamLimits()
    stream = LimitsConfig(tcp_connections_per_source=1, tcp_first_request_seconds=2, tcp_message_seconds=3, tcp_idle_seconds=4).stream
    assert (stream.per_address, stream.first_request, stream.message, stream.idle) == (1, 2, 3, 4)
    assert LimitsConfig(tcp_write_buffer_bytes=70_000).stream.write_bytes == 70_000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('auth = "open"', "ringback.toml: auth: must be \"none\" or \"digest\", is 'open'"),
        ("auth = 1", 'ringback.toml: auth: must be "none" or "digest", is 1'),
        ('auth = "none"\ndomain = "a.test"', "ringback.toml: domain: must be tables, each under a line such as [….name], is 'a.test'"),
        ('auth = "none"\n[domain."a.test"]\nmode = "statefull"',
            'ringback.toml: domain."a.test".mode: must be "stateless" or "stateful" or "redirect", is \'statefull\''),
        ('auth = "none"\n[domain."a.test"]\n[domain."b.test"]\nmodes = 1',
            'ringback.toml: domain."b.test".modes: no such key; did you mean mode?'),
        ('auth = "none"\ndomains = ["a.test"]\n[domain."b.test"]',
            'ringback.toml: domain."b.test": no domain served here; domains has a.test'),
        (
            'auth = "none"\n[domain."a b"]',
            ("ringback.toml: domain.\"a b\": 'a b' is no domain; "
            "allowed is a host name or address such as example.org, [::1] or 192.0.2.1"),
        ),
        ('domains = "a.test"', "ringback.toml: domains: must be a list of texts, such as [\"…\"], is 'a.test'"),
        ('domains = ["a.test", 3]', "ringback.toml: domains[1]: must be text, is 3"),
        (
            'auth = "none"\ndomains = ["sip:a.test"]',
            ("ringback.toml: domains[0]: 'sip:a.test' is no domain; "
            "allowed is a host name or address such as example.org, [::1] or 192.0.2.1"),
        ),
        ('auth = "none"\nlisten = []', 'ringback.toml: listen: must name at least one address, such as "udp://0.0.0.0:5060"'),
        (
            'auth = "none"\nlisten = ["127.0.0.1:5060"]',
            "ringback.toml: listen[0]: '127.0.0.1:5060': must be written udp://ADDRESS:PORT, likewise tcp, tls, ws and wss",
        ),
        (
            'auth = "none"\nlisten = ["udp://127.0.0.1:5060", "udp://127.0.0.1"]',
            "ringback.toml: listen[1]: 'udp://127.0.0.1' stands there twice",
        ),
        (
            'auth = "none"\nadvertise = "a b"',
            "ringback.toml: advertise: 'a b' is no domain; allowed is a host name or address such as example.org, [::1] or 192.0.2.1",
        ),
        ("routing = 7", "ringback.toml: routing: must be a path, as text, is 7"),
        ('data = ""', "ringback.toml: data: must be a path, as text, is ''"),
        ("registrar = 3", ("ringback.toml: registrar: must be a table with the keys default_expires, min_expires, max_expires, "
   "max_contacts, "
                          "foreign_contacts, multicast, path_unasked, service_route, is 3")),
        ("[registrar]\nmin_expires = -1", "ringback.toml: registrar.min_expires: must be a whole number from 1 to 4294967295, is -1"),
        ("[registrar]\nmin_expires = 1.5", "ringback.toml: registrar.min_expires: must be a whole number from 1 to 4294967295, is 1.5"),
        ('[registrar]\nforeign_contacts = "yes"', "ringback.toml: registrar.foreign_contacts: must be true or false, is 'yes'"),
        (
            "[registrar]\nmin_expires = 7200",
            "ringback.toml: registrar.default_expires: must lie between min_expires (7200) and max_expires (86400), is 3600",
        ),
        ("[proxy]\ntimer_c = 180", "ringback.toml: proxy.timer_c: must be a number above 180, at most 3600, is 180"),
        ("[proxy]\ntimer_c = nan", "ringback.toml: proxy.timer_c: must be a number above 180, at most 3600, is nan"),
        ("[proxy]\ntimer_c = true", "ringback.toml: proxy.timer_c: must be a number above 180, at most 3600, is true"),
        ("[proxy]\nmax_branches = 0", "ringback.toml: proxy.max_branches: must be a whole number from 1 to 1000, is 0"),
        ("[drain]\nseconds = inf", "ringback.toml: drain.seconds: must be a number from 0 to 86400, is inf"),
        ("[limits]\nmessage_bytes = []", "ringback.toml: limits.message_bytes: must be a whole number from 1300 to 16777216, is a list"),
        ("[limits]\nvia_count = 1979-05-27", "ringback.toml: limits.via_count: must be a whole number from 1 to 10000, is date"),
        ('[relay]\nallow = ["*"]', ("ringback.toml: relay.allow[0]: '*' is no domain; allowed is a host name or address such as "
                                     "example.org, [::1] or 192.0.2.1")),
        ('[dns]\nnameservers = ["dns.example"]', ("ringback.toml: dns.nameservers[0]: 'dns.example' is no name server; allowed is an "
                     "address such as 192.0.2.53, 127.0.0.1:5353 or [2001:db8::53]:53")),
        ('[dns]\nenum = ["+49"]', ("ringback.toml: dns.enum[0]: '+49' is no domain; allowed is a host name or address such as "
                                 "example.org, [::1] or 192.0.2.1")),
        ("[dns]\ntries = 0", "ringback.toml: dns.tries: must be a whole number from 1 to 10, is 0"),
        ('[trace]\nfile = "calls.txt"', "ringback.toml: trace.file: 'calls.txt' must end in .pcap or .json"),
        ("[trace]\nladders = true", "ringback.toml: trace.ladders: no such key; did you mean ladder?"),
        ("[drain]\nq = 1", "ringback.toml: drain.q: no such key; allowed are seconds, calls_seconds"),
        ('[drain]\n"q\\nq" = 1', "ringback.toml: drain.'q\\nq': no such key; allowed are seconds, calls_seconds"),
        ("auth = 'none'\nx = ", "ringback.toml: no valid TOML: Invalid value (at end of document)"),
        ("\nauth = none", "ringback.toml: no valid TOML: Invalid value (at line 2, column 8)"),
        ("[access]\nalgorithms = 'MD5'", "ringback.toml: access.algorithms: must be a list of texts, such as [\"…\"], is 'MD5'"),
        ('[access]\nalgorithms = ["MD5", "MD5"]', "ringback.toml: access.algorithms: must name at least one algorithm, and none twice"),
        ("[access]\nalgorithms = []", "ringback.toml: access.algorithms: must name at least one algorithm, and none twice"),
        ("[access]\nnonce_seconds = 1", "ringback.toml: access.nonce_seconds: must be a whole number from 10 to 86400, is 1"),
        (
            '[access]\ntrusted = ["::1", "::1/9"]',
            ("ringback.toml: access.trusted[1]: '::1/9' is no address or network; "
            "allowed are such as 192.0.2.111, 192.0.2.0/24 or 2001:db8::/32"),
        ),
        ('listen = "' + "x" * 99 + '"', "ringback.toml: listen: must be a list of texts, such as [\"…\"], is '" + "x" * 58 + "…"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named_with_what_is_allowed(tmp_path: Path, text: str, sentence: str) -> None:
    assert fault(tmp_path, text) == sentence


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("ws://127.0.0.1:8080/ws", "an address and a port, no path: that is `path` in [websocket]"),
        ("http://127.0.0.1", "the transport 'http' is unknown; allowed are udp, tcp, tls, ws and wss"),
        ("udp://::1:5060", "an IPv6 address is written [::1]:5060"),
        ("udp://[::1", "an IPv6 address is written [::1]:5060"),
        ("udp://[::1]5060", "an IPv6 address is written [::1]:5060"),
        ("udp://127.0.0.1:", "the port must be a whole number from 0 to 65535, is ''"),
        ("udp://127.0.0.1:65536", "the port must be a whole number from 0 to 65535, is '65536'"),
        ("udp://127.0.0.1:1_0", "the port must be a whole number from 0 to 65535, is '1_0'"),
        ("udp://127.0.0.1:\u0665", "the port must be a whole number from 0 to 65535, is '\u0665'"),
        ("udp://127.0.0.1:" + "1" * 5000, "the port must be a whole number from 0 to 65535, is '" + "1" * 58 + "…"),
        ("udp://example.org:5060", "the address must be numeric (0.0.0.0 for all of them) or localhost, is 'example.org'"),
        ("udp://127.1:5060", "the address must be numeric (0.0.0.0 for all of them) or localhost, is '127.1'"),
        ("udp://[fe80::1%eth0]:5060", "the address must be numeric (0.0.0.0 for all of them) or localhost, is 'fe80::1%eth0'"),
    ],
)
def test_a_wrong_listening_point(uri: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        listening_point(uri)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "name",
    ["", "a..b", "-a.b", "a-.b", "exämple.org", "a_b.org", "256.1.1.1", "1.2.3", "[1.2.3.4]", "[::1", "a:5060", "x" * 64, "a." * 127 + "a"],
)
def test_what_is_no_domain(name: str) -> None:
    with pytest.raises(ConfigError, match="is no domain"):
        Config(auth="none", domains=[name])


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file or directory$"):
        read_config(tmp_path / "absent.toml")
    file = tmp_path / "latin.toml"
    file.write_bytes(b"auth = 'none'\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.toml: not UTF-8 \(at line 2\)"):
        read_config(file)


def test_the_command_line_is_put_over_the_file(tmp_path: Path) -> None:
    text = 'auth = "digest"\ndomains = ["a.test"]\n[trace]\nladder = true\n'
    config = read(tmp_path, text, auth="none", domains=["b.test"], trace={"file": "x.pcap"})
    assert config.domains == ["b.test"]
    assert config.trace.ladder
    assert config.trace.file == Path("x.pcap")


def test_a_fault_of_the_command_line_names_the_option(tmp_path: Path) -> None:
    assert fault(tmp_path, 'auth = "none"', listen=["udp://x"]).startswith("--listen: 'udp://x': the address must be numeric")
    assert fault(tmp_path, 'auth = "none"', domains=["a b"]).startswith("--domain: 'a b' is no domain")
    assert fault(tmp_path, 'auth = "none"', trace={"file": "x"}) == "--trace-file: 'x' must end in .pcap or .json"
    assert (
        fault(tmp_path, "trace = 3", auth="none", trace={"file": "x.json"})
        == "ringback.toml: trace: must be a table with the keys ladder, file, is 3"
    )
    with pytest.raises(ConfigError, match=r'^--auth: must be "none" or "digest"'):
        read_config(None, {"auth": "open"})


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    text = 'auth = "none"\nrouting = "routes.py"\ndata = "store"\n[trace]\nfile = "x.json"\n'
    config = read(tmp_path, text)
    assert (config.routing, config.data, config.trace.file) == (tmp_path / "routes.py", tmp_path / "store", tmp_path / "x.json")
    assert read(tmp_path, text, data="here").data == Path("here")
    assert read(tmp_path, text, data="/there").data == Path("/there")


def test_where_data_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_data_folder({"STATE_DIRECTORY": "/var/lib/ringback:/var/lib/other", "XDG_DATA_HOME": "/x"}) == Path("/var/lib/ringback")
    assert default_data_folder({"XDG_DATA_HOME": "/x"}) == Path("/x/ringback")
    assert default_data_folder({"XDG_DATA_HOME": "relative"}) == Path.home() / ".local/share/ringback"
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/x")
    assert read(tmp_path, 'auth = "none"').data == Path("/x/ringback")
    assert read(tmp_path, 'auth = "none"\ndata = ":memory:"').data is None
    assert read(tmp_path, 'auth = "none"\ndata = "kept"', data=":memory:").data is None


def test_the_example_says_what_holds() -> None:
    example = example_config()
    tables_of_config = [name for name, value in structs.asdict(Config()).items() if isinstance(value, Struct | dict)]
    assert list(tomllib.loads(example)) == tables_of_config
    keys = [line.removeprefix("# ") for line in example.split("\n") if " = " in line]
    assert 'auth = "digest"' in keys
    assert "timer_c = 181.0" in keys


def test_the_example_uncommented_is_a_configuration(tmp_path: Path) -> None:
    lines = example_config().split("\n")
    text = "\n".join(line.removeprefix("# ") if line.startswith("# ") and " = " in line else line for line in lines)
    # Of a table that may stand there many times all keys are shown, also those of which each one needs but one.
    config = read(tmp_path, re.sub(r"(?ms)^# \[.*?(?=^\[|\Z)", "", text))
    assert config.aliases["sales"] == ["sip:alice@example.org", "sip:+49301@192.0.2.7"]
    assert config.domains == ["example.org"]
    assert config.registrar == RegistrarConfig(service_route=["sip:proxy.example.org;lr"])
    assert config.proxy == Config(auth="none").proxy
    assert config.limits == Config(auth="none").limits
    assert config.drain == Config(auth="none").drain
    assert config.access.trusted == ["192.0.2.111", "2001:db8::/32"]
