"""A file that is read and replaced as a whole: compare-and-set by the hash of what was read.

Envoy watches for moves, so a new version is written beside the old one, flushed to the disk and moved over it. The
folder is locked while that happens (flock), so two writers of ours cannot both find the hash that they expect.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from integrations.base import ConflictError, GoneError, RefusedError, TryAgainError

_PATIENCE_S = 2.0
_EVERY_S = 0.01


def token_of(data: bytes) -> str:
    """Return what tells this content from any other."""
    return hashlib.sha256(data).hexdigest()


class RouteFile:
    """One file. Its calls block; each raises `GoneError`, `RefusedError` or `TryAgainError`."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def __str__(self) -> str:
        return f"The file {self._path}"

    def read(self) -> bytes:
        """Return what is in it."""
        with self._translated("read"):
            self._refuse_link()
            return self._path.read_bytes()

    def replace(self, token: str, change: Callable[[bytes], bytes]) -> bytes:
        """Put `change` of its content in its place and return that, only if the content still has this `token`."""
        with self._translated("replaced"), self._locked():
            self._refuse_link()
            data = self._path.read_bytes()
            if token_of(data) != token:
                raise ConflictError(f"{self} changed since it was read.")
            fresh = change(data)
            self._put(fresh)
            return fresh

    def refuse_read_only(self) -> None:
        """Raise `RefusedError` where no new version could be put beside the file."""
        with self._translated("read"):
            foreign = self._path.stat().st_uid != os.geteuid() != 0
        if foreign or not os.access(self._path.parent, os.W_OK | os.X_OK):
            raise _forbidden(self, "replaced")

    def _put(self, data: bytes) -> None:
        beside = self._path.with_name(f".{self._path.name}.sluice")
        found = self._path.stat()
        # Only who holds the lock writes this name, so what is there is the rest of a process that was killed.
        beside.unlink(missing_ok=True)
        with beside.open("xb") as file:
            file.write(data)
            fresh = os.fstat(file.fileno())
            if (found.st_uid, found.st_gid) != (fresh.st_uid, fresh.st_gid):
                os.fchown(file.fileno(), found.st_uid, found.st_gid)
            os.fchmod(file.fileno(), found.st_mode & 0o7777)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder: a lock on the file itself would stay with the one that is moved away."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._lock(folder)
            yield
            os.fsync(folder)
        finally:
            os.close(folder)

    def _lock(self, folder: int) -> None:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TryAgainError(
                        f"{self} is locked by another process, so it was not written. It is tried again.",
                        code="envoy_file_locked",
                    ) from None
                time.sleep(_EVERY_S)
            else:
                return

    def _refuse_link(self) -> None:
        if self._path.is_symlink():
            raise RefusedError(
                f"{self} is a symbolic link, and moving a new version over it would leave what it leads to as it is. "
                "Name the file itself as `traffic.file`, in a folder that Envoy watches.",
                code="envoy_file_is_link",
            )

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise GoneError(
                f"{self} is not there. Create it, or correct `traffic.file`.",
                code="envoy_file_missing",
            ) from None
        except PermissionError:
            raise _forbidden(self, verb) from None
        except OSError as error:
            raise TryAgainError(f"{self} could not be {verb}: {error.strerror}.") from error


def _forbidden(file: RouteFile, done: str) -> RefusedError:
    return RefusedError(
        f"{file} may not be {done} by this process with owner and mode as they are. "
        "Let the bot own the file and write to its folder.",
        code="envoy_file_forbidden",
    )
