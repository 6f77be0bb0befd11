"""Dead letters: updates whose handler failed, looked at and run again."""

import asyncio
import logging

import structlog

from bot.commands.opening import CommandError, refuse, say, show, with_store
from bot.settings import Settings, load
from store import inbox
from store.engine import Store
from store.errors import NotFoundError
from store.inbox import DeadLetter

ALL = 100_000


def list_letters() -> None:
    """Print the dead letters, newest first: account, key, moment, tries and error, set apart by tabs."""
    letters = with_store(_letters)
    for letter in letters:
        error = letter.error.strip().splitlines()[-1] if letter.error.strip() else ""
        show("\t".join([letter.account, letter.key, letter.at.isoformat(), str(letter.attempts), error]))
    if not letters:
        say("there are no dead letters")


def replay(account: str | None, key: str | None, *, every: bool) -> None:
    """Run one dead letter again, or all of them, oldest first. Raises CommandError (1) when one fails again."""
    if every == (account is not None) or (account is None) != (key is None):
        refuse("name one letter (ACCOUNT KEY, see `regulars inbox list`) or say --all")
    known = {(letter.account, letter.key): letter for letter in with_store(_letters)}
    if every:
        chosen = list(reversed(known))
    elif account is not None and key is not None and (account, key) in known:
        chosen = [(account, key)]
    else:
        refuse(f"there is no dead letter {account} {key}: see `regulars inbox list`")
    failed = asyncio.run(_replay(load(), chosen))
    say(f"{len(chosen) - len(failed)} of {len(chosen)} done")
    if failed:
        listed = ", ".join(" ".join(name) for name in failed)
        raise CommandError(f"failed again, and kept (`regulars inbox list` shows why): {listed}")


async def _letters(_settings: Settings, store: Store) -> list[DeadLetter]:
    return await store.read(inbox.dead_letters, ALL)


async def _replay(settings: Settings, chosen: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that failed again."""
    # Only here: what talks to messengers takes seconds to import.
    from bot import app

    # Who fails again is named in the last line, and the letter keeps the error: no pages of traceback in between.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    failed = []
    for account, key in chosen:
        try:
            done = await app.replay(settings, account, key)
        except NotFoundError:
            continue
        if not done:
            failed.append((account, key))
    return failed
