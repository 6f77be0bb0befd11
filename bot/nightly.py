"""Nightly: the database saved by itself, at 3 in the morning, the last seven kept. A process of its own does the work, the
same as `regulars backup` by hand, so nobody in a chat waits for it.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session

from bot.held import Held
from bot.settings import Settings
from store import leases, options
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError

HOUR = time(3)
KEEPS = 7
NAME = "regulars-%Y%m%d-%H%M%S.zip"
LOOK_SECONDS = 60.0
AGAIN = timedelta(hours=1)
"""How long after one that failed the next try is."""
LEASE = "backup"

log = structlog.get_logger()
Save = Callable[[Path], Awaitable[str | None]]
"""Writes a backup to a file; what went wrong, or None."""


async def backup_loop(store: Store, settings: Settings, owner: str) -> None:
    """Save the database every night, in one process at a time."""
    since = store.clock.now()
    async with store.hub.listen() as heard:
        while True:
            try:
                late = await store.read(due, settings.timezone, since)
                if late and await store.write(leases.hold, LEASE, owner) is not None:
                    await save(store, settings, owner)
            except (MovedError, StoreUnreachableError) as error:
                log.warning("the backup waits a moment", error=str(error))
            await heard.within(LOOK_SECONDS)


def due(session: Session, zone: str, since: datetime) -> bool:
    """Whether a night has passed without a backup. `since`: when the program started; a first backup waits for its night."""
    moment: datetime = session.info["clock"].now()
    local = moment.astimezone(ZoneInfo(zone))
    night = datetime.combine(local.date(), HOUR, ZoneInfo(zone))
    if night > local:
        night -= timedelta(days=1)
    kept = options.get(session, options.BACKUP) or {}
    last = _moment(kept.get("at")) or since
    tried = _moment(kept.get("tried_at"))
    return last < night and (tried is None or moment - tried >= AGAIN)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


async def save(store: Store, settings: Settings, owner: str, by: Save | None = None) -> bool:
    """Save the database now, note how it went, and let go of the oldest; whether it went well."""
    folder = settings.backup_folder
    assert folder is not None
    moment = store.clock.now()
    path = folder / moment.astimezone(ZoneInfo(settings.timezone)).strftime(NAME)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = await Held(store, LEASE, owner).during((by or _process(settings))(path))
    except OSError as error:
        problem = f"{type(error).__name__}: {error}"
    kept = await store.read(options.get, options.BACKUP) or {}
    noted: dict[str, Any] = {**kept, "tried_at": moment.isoformat(), "error": problem}
    if problem is None:
        noted |= {"at": moment.isoformat(), "file": str(path)}
        for old in sorted(folder.glob("regulars-*-*.zip"))[:-KEEPS]:
            old.unlink(missing_ok=True)
    else:
        log.error("the nightly backup failed", error=problem)
    await store.write(options.put, options.BACKUP, noted)
    return problem is None


def _process(settings: Settings) -> Save:
    """`regulars backup` in a process of its own, with this one's settings."""

    async def run(path: Path) -> str | None:
        environment = os.environ | {
            "REGULARS_DATABASE_URL": settings.database_url, "REGULARS_SECRET_KEY": settings.secret_key,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "backup", str(path), env=environment, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            raise
        if process.returncode == 0:
            return None
        lines = said.decode(errors="replace").strip().splitlines()
        return (lines[-1] if lines else f"exit status {process.returncode}")[-300:]

    return run
