"""What fakes of AWS have in common: a server on loopback that the real boto3 speaks to, with faults to be asked for.

The services answer; this hears the requests, and lets one fail, drop, come late or be preceded by somebody else.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web


class AwsError(Exception):
    """A refusal of the service."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass
class Fault:
    """What happens to the next requests of an operation (`""`: of any)."""

    operation: str
    times: int
    error: AwsError | None = None
    drop: bool = False
    hold: bool = False
    before: Callable[[], None] | None = None


@dataclass
class AwsServer(ABC):
    """A server whose `answer` is given by a service."""

    faults: list[Fault] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    """What was asked, in order."""
    held: list[Callable[[], web.Response]] = field(default_factory=list)
    url: str = ""

    async def start(self) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self.url

    async def stop(self) -> None:
        await self._runner.cleanup()

    # ---- what a test asks for ---------------------------------------------------------------------------------------

    def fail(self, code: str, *, status: int = 400, operation: str = "", times: int = 1) -> None:
        """Let the next requests be refused."""
        self.faults.append(Fault(operation, times, AwsError(code, "no <!channel>", status)))

    def drop(self, operation: str) -> None:
        """Apply the next request of an operation and hang up."""
        self.faults.append(Fault(operation, 1, drop=True))

    def hold(self, operation: str) -> None:
        """Take the next request, hang up, and apply it only in `land`."""
        self.faults.append(Fault(operation, 1, hold=True))

    def land(self) -> list[int]:
        """Apply what was held; returns the statuses."""
        held, self.held = self.held, []
        return [apply().status for apply in held]

    def before(self, operation: str, act: Callable[[], None]) -> None:
        """Let somebody act right before the next request of an operation is served."""
        self.faults.append(Fault(operation, 1, before=act))

    # ---- the server -------------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        operation, apply = self.understood(request, body)
        self.operations.append(operation)
        fault = self._fault(operation)
        if fault is not None and fault.before is not None:
            fault.before()
        if fault is not None and fault.error is not None:
            return self.refusal(fault.error)
        if fault is not None and fault.hold:
            self.held.append(apply)
            return self._hang_up(request)
        answer = apply()
        return self._hang_up(request) if fault is not None and fault.drop else answer

    def _hang_up(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        raise asyncio.CancelledError

    def _fault(self, operation: str) -> Fault | None:
        for fault in self.faults:
            if fault.operation in {"", operation}:
                fault.times -= 1
                if fault.times < 1:
                    self.faults.remove(fault)
                return fault
        return None

    @abstractmethod
    def understood(
        self, request: web.Request, body: bytes
    ) -> tuple[str, Callable[[], web.Response]]:
        """Return which operation a request is, and what applies it and answers."""

    def refusal(self, error: AwsError) -> web.Response:
        """Return the answer of a refusal, as most services of the older protocols give it."""
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code>"
            f"<Message>{escape(error.message)}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
        )
        return web.Response(text=text, status=error.status, content_type="text/xml")


def xml(value: Any, item: str | Mapping[str, str] = "member", inside: str = "") -> str:
    """Return a value as XML: keys are elements, items of a list are called `item` (or what it says for a list)."""
    match value:
        case dict():
            return "".join(f"<{key}>{xml(one, item, key)}</{key}>" for key, one in value.items())
        case list() | tuple():
            name = item if isinstance(item, str) else item[inside]
            return "".join(f"<{name}>{xml(one, item, inside)}</{name}>" for one in value)
        case bool():
            return str(value).lower()
        case _:
            return escape(str(value))
