"""What an operator has of a server that runs: the control socket, the metrics."""

from __future__ import annotations

import errno
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ringback.server.operation.control.control import Control, socket_path
from ringback.server.operation.control.methods import METHODS

if TYPE_CHECKING:
    from ringback.server.operation.metrics import MetricsPage
    from ringback.server.server import Server


class Operation:
    """Entered once a server has started, left before it closes."""

    def __init__(self, server: Server, report: Callable[[str], None]) -> None:
        self._server = server
        self._report = report
        self._control: Control | None = None
        self.metrics: MetricsPage | None = None

    async def __aenter__(self) -> Self:
        """Raises `OSError` that names what could not be had."""
        config = self._server.config
        path = socket_path(config)
        if path is not None:
            control = Control(path, METHODS, self._server)
            try:
                await control.open()
                self._control = control
            except OSError as error:
                # A data folder that lies deep was fine without a control socket.
                if error.errno != errno.ENAMETOOLONG or config.control.socket is not None:
                    raise
                self._report(f"no control socket: {path}: {error.strerror}")
        if config.metrics.listen is not None:
            # Who does not ask for metrics does without the import.
            from ringback.server.operation.metrics import MetricsPage

            self.metrics = MetricsPage(self._server)
            try:
                await self.metrics.open(config.metrics.listen)
            except OSError:
                await self.close()
                raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Hangs up on whoever watches."""
        if self._control is not None:
            await self._control.close()
        if self.metrics is not None:
            await self.metrics.close()
