"""Routes that the configuration names: which one a number takes, and where it leads (RFC 3261 §16.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ringback.message.uri import user_text
from ringback.server.config.route import USER, RouteConfig
from ringback.server.targets.number_pattern import number_pattern


class StaticRoute:
    """One `[[route]]`, ready to be asked."""

    __slots__ = ("_domain", "_fits", "_methods", "config")

    def __init__(self, config: RouteConfig) -> None:
        self.config = config
        self._domain = config.domain
        self._methods = frozenset(config.methods)
        self._fits = _predicate(config)

    def fits(self, user: str, domain: str | None, method: str) -> bool:
        """Whether a request of this method to this user takes the route; `domain` None stands for a tel URI."""
        return (
            (self._domain is None or self._domain == domain) and (not self._methods or method in self._methods) and bool(self._fits(user))
        )

    def user(self, user: str) -> str:
        """The user as the route changes it: some of its front taken off, something else put there."""
        return self.config.prepend + user[self.config.strip :]

    def uris(self, templates: Sequence[str], user: str) -> list[str]:
        """The URIs that templates of this route stand for."""
        return [template.replace(USER, user_text(self.user(user))) for template in templates]


def _predicate(config: RouteConfig) -> Callable[[str], object]:
    if config.pattern is not None:
        return number_pattern(config.pattern)
    if config.user is not None:
        return config.user.__eq__
    prefix = config.prefix or ""
    return lambda user: user.startswith(prefix)


class StaticRoutes:
    """All of them, in the order of the configuration."""

    def __init__(self, routes: Sequence[RouteConfig]) -> None:
        self._routes = [StaticRoute(route) for route in routes]

    def route(self, user: str, domain: str | None, method: str) -> StaticRoute | None:
        """The first route that fits."""
        for route in self._routes:
            if route.fits(user, domain, method):
                return route
        return None
