"""One arena per ledger, by a lock that is held as long as the arena runs and that ends with its process.

Two arenas on one ledger would void each other's battles: each takes the other's unfinished ones for those of a dead
process. The lock is flock(2) on a file beside the ledger, so it is released even after kill -9, and it does not block
readers (boards, exports, backups). SQLite's own locks would not do: they last no longer than a transaction.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

SUFFIX = ".lock"
UNLOCKABLE = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)  # some network filesystems


class ClaimError(Exception):
    """A ledger that cannot be claimed: which one, who holds it, and what to do."""


class Claim:
    """The right to fight battles on a ledger. Close it to give it up."""

    def __init__(self, ledger: Path) -> None:
        """Claim the ledger, which need not exist yet.

        Raises:
            ClaimError: another process has it, or nothing can be locked there.
        """
        try:
            if ledger.is_dir():
                raise ClaimError(f"{ledger} is a folder: pass --db another file")
            whole = ledger.resolve()  # the same file under any name
            self.file = whole.with_name(whole.name + SUFFIX)
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._held = _lock(self.file)
        except BlockingIOError:
            raise ClaimError(
                f"{ledger} is in use by {_holder(self.file)}: stop it, or pass --db another file"
            ) from None
        except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
            raise ClaimError(_why_not(ledger, error)) from None

    def close(self) -> None:
        """Release the claim."""
        if self._held < 0:
            return
        with contextlib.suppress(OSError):
            self.file.unlink()  # while still locked: _lock checks that the file it locked is still there
        os.close(self._held)
        self._held = -1


def _lock(file: Path) -> int:
    """Return the open and locked file.

    Raises:
        BlockingIOError: another process holds it.
    """
    while True:
        opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(file, opened):
                os.truncate(opened, 0)
                os.write(opened, f"{os.getpid()}\n".encode())
                return opened
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)  # its holder has just removed it: this lock is on a file without a name


def _is_still(file: Path, opened: int) -> bool:
    try:
        return os.path.samestat(os.stat(file), os.fstat(opened))
    except FileNotFoundError:
        return False


def _why_not(ledger: Path, error: Exception) -> str:
    why = f"{error.strerror} ({error.filename})" if isinstance(error, OSError) and error.filename else str(error)
    if isinstance(error, OSError) and error.errno in UNLOCKABLE:
        return f"{ledger} lies where no file can be locked ({why}): pass --db a file on a local disk"
    return f"{ledger} cannot be used as the vote ledger: {why}: pass --db another file"


def _holder(file: Path) -> str:
    try:
        number = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        number = ""
    return f"another arena (process {number})" if number.isdigit() else "another arena"
