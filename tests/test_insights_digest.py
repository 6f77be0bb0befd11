"""The weekly digest: on Monday mornings, once for each owner, never of those who don't want it; in three honest sentences."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import digest
from handlers.chat.voice import Voice
from handlers.chat.weekly import KINDS, sentences
from handlers.words import words
from loyalty import programme
from loyalty.insights import digests
from loyalty.insights.digests import Sums
from store import audit, media, staff
from store.base import table
from store.clock import SetClock
from store.engine import Store
from store.errors import ForbiddenError
from store.notices import NoticeRow
from store.staff import Role
from tests.test_insights_outlooks import put
from tests.test_insights_programme import ZONE

MORNING = datetime(2026, 11, 23, 1, tzinfo=UTC)
"""Monday, 8 in the morning in Hồ Chí Minh City; the tests' clock stands on Saturday before."""


async def opened(store: Store) -> tuple[int, int]:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE.key, language="vi")
    owner = await store.write(staff.add, "Hà", Role.OWNER, shop, "vi")
    await store.write(staff.add, "Huy", Role.MANAGER, shop, "vi")
    return shop, owner


async def told(store: Store) -> list[Any]:
    def look(session: Session) -> list[Any]:
        n = table(NoticeRow).c
        wanted = select(n.staff_id, n.shop_id, n.params).where(n.kind == "weekly_digest").order_by(n.id)
        return list(session.execute(wanted))

    return await store.read(look)


async def test_monday_mornings_once_and_never_of_whom_doesnt_want_it(store: Store, clock: SetClock) -> None:
    shop, owner = await opened(store)
    # Sunday 15 Nov, Monday 16, Sunday 22 by the shop's clock; seen from Saturday 21, noon in UTC.
    clock.set(MORNING)
    await store.write(put, shop, {0: [(8, 50_000), (7, 30_000)], 1: [(1, 20_000)], 2: [(0, 70_000), (1, 15_000)]})
    clock.set(MORNING - timedelta(days=2))
    assert await digest.tell_due(store) == 0
    clock.set(MORNING - timedelta(seconds=1))
    assert await digest.tell_due(store) == 0
    clock.set(MORNING)
    due = (await store.read(digests.due))[0]
    seen = await store.read(digests.look, due)
    assert (seen.begins, seen.week, seen.before) == (date(2026, 11, 16), Sums(3, 65_000, 2, 1), Sums(1, 50_000, 1, 0))
    assert [(week.new, week.returning) for week in seen.weeks][-2:] == [(1, 0), (2, 1)]
    assert len(seen.weeks) == digests.SHOWN
    assert sum(await asyncio.gather(digest.tell_due(store), digest.tell_due(store))) == 1
    (one,) = await told(store)
    assert (one.staff_id, one.shop_id, one.params["sums"]) == (owner, shop, [3, 65_000, 2, 1])
    content = (await store.read(media.load, one.params["picture"])).content
    picture = Image.open(BytesIO(content))
    assert picture.size == (1080, 900)
    text = KINDS["weekly_digest"](Voice(words("vi"), None, "Hà"), one.params).text
    assert "65.000" in text
    assert "16/11 – 22/11" in text
    # The next week, on the minute; then they don't want it; what fell due meanwhile is never told.
    clock.advance(timedelta(days=7, seconds=-1))
    assert await digest.tell_due(store) == 0
    clock.advance(timedelta(seconds=1))
    late = (await store.read(digests.due))[0]
    await store.write(digests.choose, shop, owner, on=False)
    assert await store.write(digests.tell, late, content, (1080, 900), {}) is False
    clock.advance(timedelta(days=14))
    assert await digest.tell_due(store) == 0
    await store.write(digests.choose, shop, owner, on=True)
    assert await digest.tell_due(store) == 0
    # Three days without the program are made up for, more are not.
    clock.advance(timedelta(days=9))
    assert await digest.tell_due(store) == 1
    clock.advance(timedelta(days=12))
    assert await digest.tell_due(store) == 0
    assert len(await told(store)) == 2
    actions = await store.read(lambda session: list(session.execute(select(audit.AuditRow.action)).scalars()))
    assert [one for one in actions if one.startswith("digest")] == ["digest_off", "digest_on"]


async def test_an_owner_chooses_for_their_own_shop(store: Store) -> None:
    _, owner = await opened(store)
    other = await store.write(programme.open_shop, "Quán Hai", timezone=ZONE.key, language="vi")
    with pytest.raises(ForbiddenError):
        await store.write(digests.choose, other, owner, on=False)


@pytest.mark.parametrize(
    ("sums", "before", "first"),
    [
        ((40, 4_000_000, 3, 20), (30, 3_000_000, 2, 22), "33 % more than the week before."),
        ((40, 2_000_000, 3, 20), (30, 3_000_000, 2, 22), "33 % less than the week before."),
        ((40, 3_100_000, 3, 20), (30, 3_000_000, 2, 22), "about as much as the week before."),
        ((19, 4_000_000, 3, 20), (30, 1_000_000, 2, 22), "₫1,000,000 the week before, too few orders to say more."),
        ((30, 4_000_000, 3, 20), (0, 0, 0, 0), "nothing the week before."),
        ((0, 0, 0, 0), (30, 3_000_000, 2, 22), "No known customer bought last week (₫3,000,000 the week before)."),
    ],
)
def test_few_orders_are_not_said_in_per_cent(sums: tuple[int, ...], before: tuple[int, ...], first: str) -> None:
    params = {"sums": sums, "sums_before": before, "leaving": 0, "asleep": 0, "owed": 5_000}
    said = sentences(words("en"), params)
    assert said[0].endswith(first)
    assert len(said) == 3
    assert said[2] == "Nobody needs you urgently; customers hold points worth ₫5,000."
    nobody = params | {"sums": (*sums[:2], 0, sums[3])}
    assert sentences(words("en"), nobody)[1].endswith("nobody bought for the first time.")
    assert sentences(words("en"), params | {"asleep": 1})[2].startswith("1 regular hasn't come")
    assert sentences(words("en"), params | {"asleep": 1, "leaving": 3})[2].startswith("3 customers who are worth much")
