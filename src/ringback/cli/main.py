"""The command `ringback` and its `--version`."""

import click

from ringback.cli.answer import answer
from ringback.cli.call import call
from ringback.cli.ctl import ctl
from ringback.cli.message import message
from ringback.cli.ping import ping
from ringback.cli.refer import refer
from ringback.cli.register import register
from ringback.cli.resolve import resolve
from ringback.cli.serve import serve
from ringback.cli.subscribe import subscribe
from ringback.cli.user import user


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="ringback", message="ringback %(version)s")
def main() -> None:
    """A SIP platform: a server for your domain, and tools to look at others."""


main.add_command(serve)
main.add_command(user)
main.add_command(ctl)
main.add_command(ping)
main.add_command(resolve)
main.add_command(call)
main.add_command(answer)
main.add_command(register)
main.add_command(message)
main.add_command(subscribe)
main.add_command(refer)
