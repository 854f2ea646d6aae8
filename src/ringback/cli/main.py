"""The command `ringback` and its `--version`."""

import click

from ringback.cli.ping import ping
from ringback.cli.serve import serve
from ringback.cli.user import user


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="ringback", message="ringback %(version)s")
def main() -> None:
    """A SIP platform: a server for your domain, and tools to look at others."""


main.add_command(serve)
main.add_command(user)
main.add_command(ping)
