"""Chores: what is due is a row with a time; this loop claims it. And the files that messages carry are fetched here."""

import asyncio
from collections.abc import Callable
from io import BytesIO

import structlog
from PIL import Image, UnidentifiedImageError
from sqlalchemy.orm import Session

from bot.messengers.telegram import Telegram
from loyalty import attempts
from loyalty.orders import import_jobs
from loyalty.outreach.journeys import beginnings, progress
from loyalty.points import bonuses, expiry_notices, gifts, holds, points
from loyalty.recognition import draws
from loyalty.referrals import referrals
from loyalty.tiers import tier_review
from loyalty.vouchers import redemptions, voucher_gifts
from store import deliveries, inbox, leases, media, outbox
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError
from support import waking
from support.care import incidents
from support.complaints import loop
from support.deadlines import alerts, clocks, escalations, promises
from support.duties import accesses, copies, erasures, inactive, retention
from support.feedback import asking, planning
from support.routing import router

TICK_SECONDS = 1.0
SWEEP_TICKS = 600
LEASE = "clock"

DUE: tuple[Callable[[Session], int], ...] = (
    points.release_due,
    points.expire_due,
    redemptions.lapse_due,
    voucher_gifts.lapse_due,
    gifts.lapse_due,
    gifts.arrive_due,
    holds.lapse_due,
    referrals.pay_due,
    tier_review.review_due,
    draws.close_due,
    expiry_notices.tell_due,
    bonuses.pay_due,
    bonuses.birthdays_due,
    clocks.recount_due,
    clocks.ring_due,
    promises.ring_due,
    escalations.climb_due,
    alerts.digest_due,
    beginnings.hear_due,
    beginnings.calendar_due,
    progress.advance_due,
    waking.wake_due,
    waking.close_due,
    loop.ask_due,
    asking.remind_due,
    planning.plan_due,
    planning.ask_due,
    router.leave_due,
    router.drain_due,
    erasures.erase_due,
    inactive.forget_due,
    incidents.tell_due,
)
"""Rules that do a batch of what is due now and say how much that was."""
SWEEPS: tuple[Callable[[Session], int | None], ...] = (
    inbox.prune,
    outbox.prune,
    deliveries.prune,
    import_jobs.prune,
    attempts.prune,
    accesses.prune,
    copies.prune,
    retention.prune,
    inactive.look,
)

log = structlog.get_logger()


async def clock_loop(store: Store, owner: str) -> None:
    """Do what is due, once a second, in one process at a time."""
    ticks = 0
    async with store.hub.listen() as heard:
        while True:
            try:
                if await store.write(leases.hold, LEASE, owner) is not None:
                    for rule in DUE:
                        await _to_the_end(store, rule)
                    if ticks % SWEEP_TICKS == 0:
                        for sweep in SWEEPS:
                            await _to_the_end(store, sweep)
                    ticks += 1
            except (MovedError, StoreUnreachableError) as error:
                log.warning("what is due waits a moment", error=str(error))
            await heard.within(TICK_SECONDS)


async def _to_the_end(store: Store, rule: Callable[[Session], int | None]) -> None:
    """Run a rule until it finds nothing more to do. One that fails holds up no other."""
    try:
        while await store.write(rule):  # noqa: ASYNC110  # a turn for the others between batches
            await asyncio.sleep(0)
    except (MovedError, StoreUnreachableError):
        raise
    except Exception:
        log.exception("what is due could not be done", rule=rule.__qualname__)


async def fetch_loop(store: Store, telegram: Telegram, owner: str) -> None:
    """Bring the bytes of files that people sent, in one process at a time."""
    async with store.hub.listen("fetch") as heard:
        while True:
            if await store.write(leases.hold, f"fetch:{telegram.account}", owner) is not None:
                for attachment_id, file_id in await store.read(media.to_fetch, telegram.account):
                    await fetch(store, telegram, attachment_id, file_id)
            await heard.within(TICK_SECONDS)


async def fetch(store: Store, telegram: Telegram, attachment_id: int, file_id: str) -> None:
    """One file: its bytes, its size as a picture; what can't be had now is tried again later."""
    try:
        content = await telegram.download(file_id, media.BYTES_MAX)
    except ValueError:
        await store.write(media.not_fetched, attachment_id, final="too_big")
        return
    except ConnectionError as error:
        log.warning("a file could not be fetched", error=str(error))
        await store.write(media.not_fetched, attachment_id)
        return
    mime, width, height = await asyncio.to_thread(_picture, content)
    await store.write(media.fetched, attachment_id, content, mime, width, height)


def _picture(content: bytes) -> tuple[str | None, int | None, int | None]:
    try:
        with Image.open(BytesIO(content)) as picture:
            return Image.MIME.get(picture.format or ""), picture.width, picture.height
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None, None, None
