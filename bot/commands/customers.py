"""One customer: their own copy of what is kept, and their right to be forgotten."""

import json

from bot.commands.keeping import erased_file
from bot.commands.opening import refuse, say, show, with_store
from bot.settings import Settings, load
from store.engine import Store
from store.errors import NotFoundError


def export(customer_id: int) -> None:
    """Print all that is kept of a customer as JSON."""
    from support import privacy

    async def work(_settings: Settings, store: Store) -> None:
        try:
            told = await store.read(privacy.export, customer_id)
        except NotFoundError:
            refuse(f"there is no customer {customer_id}")
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
