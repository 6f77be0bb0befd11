"""Seen: a page that shows a customer's data notes who looked, once a day."""

from aiohttp import web

from handlers.web import site
from support.duties import accesses


async def note(request: web.Request, customer_id: int, shop_id: int, place: str) -> None:
    """Write the look into the audit; on a day on which it stands there this is one small read."""
    store, member = site.store_of(request), site.member_of(request)
    actor = f"staff:{member.id}"
    if not await store.read(accesses.noted, actor, customer_id):
        await store.write(accesses.note, actor, customer_id, shop_id, place)
