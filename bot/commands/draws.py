"""Lucky draws from the command line: the log handed out, and every draw of it worked out again."""

import json
from pathlib import Path
from typing import Any

from bot.commands.opening import CommandError, refuse, say, show, with_store
from bot.settings import Settings
from loyalty.recognition.drawlog import Differs
from store.engine import Store
from store.errors import NotFoundError


def verify(what: str) -> None:
    """Work out again every draw of one in the database (its number), or of an exported file. Raises CommandError (1) that
    names the first draw that differs.
    """
    from loyalty.recognition import drawlog

    document = _stored(int(what)) if what.isascii() and what.isdecimal() and len(what) < 16 else _read(Path(what))
    try:
        found = drawlog.verify(document)
        count, open_still = len(document["log"]), document["seed"] is None
    except (KeyError, TypeError, ValueError) as error:
        raise CommandError(
            f"{what} is not the log of a draw ({error}): export it with `regulars draw export`", 2
        ) from error
    if found is not None:
        raise CommandError(_said(found))
    show(f"{count:,} draws, each as it should be")
    if open_still:
        say("the seed isn't published yet: what it decides can be checked once the draw is closed")


def _said(found: Differs) -> str:
    where = f"draw {found.number}" if found.number else "the log as a whole"
    return f"{where} differs in its {found.what}: it should be {found.expected}, and is {found.found}"


def _stored(draw_id: int) -> dict[str, Any]:
    """From the database, whose keeper may use the seed before it is published."""
    from loyalty.recognition import drawlog, draws

    documents: list[dict[str, Any]] = []

    async def work(_settings: Settings, store: Store) -> None:
        try:
            documents.append(
                await store.read(lambda s: drawlog.document(s, draw_id, seed=draws.secret_seed(s, draw_id)))
            )
        except NotFoundError as error:
            raise CommandError(
                f"there is no draw {draw_id} that was opened: see /shop/draws for its number", 2
            ) from error

    with_store(work)
    return documents[0]


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        refuse(f"there is no file {path}, and it is no number of a draw")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: export it with `regulars draw export`", 2) from error
    if not isinstance(found, dict):
        raise CommandError(f"{path} is not the log of a draw: export it with `regulars draw export`", 2)
    return found


def export(draw_id: int) -> None:
    """Print a draw's terms and log as they are published; its seed is in it once the draw is closed."""
    from loyalty.recognition import drawlog

    async def work(_settings: Settings, store: Store) -> None:
        try:
            document = await store.read(drawlog.document, draw_id)
        except NotFoundError as error:
            raise CommandError(
                f"there is no draw {draw_id} that was opened: see /shop/draws for its number", 2
            ) from error
        show(json.dumps(document, ensure_ascii=False, indent=1))

    with_store(work)
