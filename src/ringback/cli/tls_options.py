"""The options that say who is believed over TLS (RFC 5922), and what we show ourselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ringback.cli.fault import Fault

if TYPE_CHECKING:
    from ringback.transport.tls import Contexts

TLS_OPTIONS = [
    click.option(
        "--tls-ca", metavar="FILE", help="The roots, in PEM, that a server's certificate must lead to.  [default: the operating system's]"
    ),
    click.option("--tls-insecure", "believes_anybody", is_flag=True, help="Believe any server, whatever certificate it shows."),
]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def tls_options(command: _Command) -> _Command:
    """Adds `TLS_OPTIONS` to a command."""
    for option in reversed(TLS_OPTIONS):
        command = option(command)
    return command


def contexts(
    roots: str | None, certificate: str | None = None, key: str | None = None, *, believes_anybody: bool = False
) -> Contexts | None:
    """What was said about TLS, None for nothing. Raises `Fault`."""
    from ringback.transport.tls import CertificateFiles, Contexts, TlsError

    if key is not None and certificate is None:
        raise Fault("--tls-key is the key of a certificate: name --tls-certificate too")
    if roots is None and certificate is None and not believes_anybody:
        return None
    files = [] if certificate is None else [CertificateFiles(Path(certificate), None if key is None else Path(key))]
    made = Contexts(files, trust=None if roots is None else Path(roots), verifies=not believes_anybody)
    try:
        made.load()
    except TlsError as error:
        raise Fault(str(error)) from None
    return made
