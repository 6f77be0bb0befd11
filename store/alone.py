"""One program serves one SQLite file: a lock beside the file, which ends with the process however it ends."""

from pathlib import Path
from typing import IO

from store.engine import Store
from store.errors import StoreHeldError
from store.sqlite import SqliteStore


def claim(store: Store) -> IO[str] | None:
    """Be the one that serves this store, until what is given back is closed. Where many may serve it, None.

    Raises StoreHeldError when another program serves it. Short visits (the command line) need no claim.
    """
    if not isinstance(store, SqliteStore):
        return None
    import fcntl

    held = Path(f"{store.path}.lock").open("w")  # noqa: SIM115  # it stays open as long as the claim lasts
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise StoreHeldError(store.path) from None
    return held
