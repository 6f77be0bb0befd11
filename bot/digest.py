"""The weekly digest: on Monday mornings each owner's shop in a picture and three sentences, in their own chat."""

import asyncio
from datetime import timedelta

import structlog

from handlers.chat.weekly import change
from handlers.pictures.digest import HEIGHT, WIDTH, Bar, WeekPicture, draw_week
from handlers.words import words
from loyalty.insights import digests
from loyalty.insights.digests import Digest, Due
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError

LOOK_SECONDS = 60.0

log = structlog.get_logger()


async def digest_loop(store: Store) -> None:
    """Tell who is due. Each is told once, however many processes do this."""
    async with store.hub.listen() as heard:
        while True:
            try:
                await tell_due(store)
            except (MovedError, StoreUnreachableError) as error:
                log.warning("the digest waits a moment", error=str(error))
            await heard.within(LOOK_SECONDS)


async def tell_due(store: Store) -> int:
    """Tell who is due now; how many that were."""
    if await store.read(digests.unknown):
        await store.write(digests.enrol)
    told = 0
    for due in await store.read(digests.due):
        digest = await store.read(digests.look, due)
        picture = await asyncio.to_thread(draw_week, drawn(due, digest))
        told += await store.write(digests.tell, due, picture, (WIDTH, HEIGHT), params(due, digest))
    return told


def params(due: Due, digest: Digest) -> dict[str, object]:
    """What the notice says, as numbers."""

    def sums(week: digests.Sums) -> list[int]:
        return [week.orders, week.revenue, week.new, week.returning]

    return {
        "shop": due.shop.name, "span": _days(due, digest), "sums": sums(digest.week), "sums_before": sums(digest.before),
        "leaving": digest.leaving, "asleep": digest.asleep, "owed": digest.owed,
    }  # fmt: skip


def drawn(due: Due, digest: Digest) -> WeekPicture:
    """The picture, in the owner's words."""
    said, now, before = words(due.language), digest.week, digest.before
    orders = said.plural("{n} order", "{n} orders", now.orders)
    beneath = f"{orders} · {change(said, now.revenue, before.revenue, now.orders, before.orders)}"
    return WeekPicture(
        shop_name=due.shop.name, brand=due.shop.brand, days=_days(due, digest), revenue=said.money(now.revenue), beneath=beneath,
        returning=said("Customers who came back"), new=said("First-time buyers"),
        bars=[Bar(said.day(week.begins), week.new, week.returning) for week in digest.weeks],
    )  # fmt: skip


def _days(due: Due, digest: Digest) -> str:
    said = words(due.language)
    return f"{said.day(digest.begins)} – {said.day(digest.begins + timedelta(days=6))}"
