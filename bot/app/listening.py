"""Why an address cannot be listened on, as a sentence that names the setting it came from."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from bot.cli.doors import DoorError


@contextmanager
def listening_on(host: str, port: int, setting: str) -> Iterator[None]:
    """Turn what the system says while a server is started into `DoorError` `cannot_listen`."""
    try:
        yield
    except OSError as error:
        raise DoorError(
            f"Sluice cannot listen on {host} port {port} ({_why(error)}). "
            f"Stop what is there, or choose another address with {setting}.",
            code="cannot_listen",
        ) from error


def _why(error: OSError) -> str:
    # Errors of the resolver have numbers of their own, and the loop's text repeats the address.
    if isinstance(error, socket.gaierror) or error.errno is None:
        return "the name has no address here"
    return os.strerror(error.errno)
