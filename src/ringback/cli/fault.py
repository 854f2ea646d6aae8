"""How a command ends when what it was told cannot be done: one line, no traceback."""

from typing import IO, Any

import click


class Fault(click.ClickException):
    """Something the user can put right. Status 2, as for a wrong option."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the line on stderr."""
        click.echo(f"ringback: {self.format_message()}", file=file, err=file is None)


def os_fault(error: OSError) -> str:
    """An operating system's error as a person reads it: `calls.pcap: Permission denied`."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason
