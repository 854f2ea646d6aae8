"""Descriptions as a test writes them: m= lines and what stands below, the rest of the session made up around them."""

from ringback.sdp.description import SessionDescription


def described(
    text: str, *, user: str = "bea", host: str = "192.0.2.20", version: int = 7, session: str = "", time: str = "0 0"
) -> SessionDescription:
    """The description of the media in `text`, one line after the other; `session` are further a= lines of the whole session."""
    lines = ["v=0", f"o={user} 4711 {version} IN {kind_of(host)} {host}", "s=-", f"c=IN {kind_of(host)} {host}", f"t={time}"]
    lines += [line.strip() for line in [*session.split("\n"), *text.split("\n")] if line.strip()]
    return SessionDescription.parse("".join([f"{line}\r\n" for line in lines]).encode())


def kind_of(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


def below_the_session(description: SessionDescription) -> list[str]:
    """The lines of a description from the first m= line on."""
    lines = description.to_bytes().decode().split("\r\n")[:-1]
    first = next((index for index, line in enumerate(lines) if line.startswith("m=")), len(lines))
    return lines[first:]
