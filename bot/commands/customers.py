"""One customer: their own copy of what is kept, and their right to be forgotten."""

import asyncio
import json
from pathlib import Path

from bot.commands.keeping import erased_file
from bot.commands.opening import refuse, say, show, with_store
from bot.settings import Settings, load
from store.engine import Store
from store.errors import NotFoundError


def export(customer_id: int, archive: Path | None = None) -> None:
    """Print all that is kept of a customer as JSON, or write it with the files and a page to read into an archive."""
    from support import privacy
    from support.duties import copies, parcels

    async def work(settings: Settings, store: Store) -> None:
        try:
            if archive is not None:
                from handlers import parcel
                from handlers.words import words

                found = await store.read(parcels.of, customer_id)
                tongue = found.told["customer"]["language"]
                said = words(tongue)
                content = parcel.pack(said, found, settings.timezone, store.clock.now())
                await store.write(copies.hand_out, found.told["customer"]["id"], "cli", content)
                await asyncio.to_thread(archive.write_bytes, content)
                say(f"customer {customer_id} is in {archive}")
                return
            told = await store.read(privacy.export, customer_id)
        except NotFoundError:
            refuse(f"there is no customer {customer_id}")
        except OSError as error:
            refuse(f"{archive} can't be written: {error.strerror}")
        show(json.dumps(told, ensure_ascii=False, indent=2))

    with_store(work)


def erase(customer_id: int) -> None:
    """Erase a customer's personal data; what the books need stays, nobody's."""
    from support import privacy

    async def work(_settings: Settings, store: Store) -> None:
        try:
            await store.write(privacy.erase, customer_id, "cli")
        except NotFoundError:
            refuse(f"there is no customer {customer_id}")

    with_store(work)
    erased_file(load())
    say(f"customer {customer_id} is erased; their points and orders stay in the books, without a name")
