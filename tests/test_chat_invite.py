"""Inviting in chat: what both get in plain words, the QR for each messenger, who counts, and what is told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from loyalty.customers import customers
from loyalty.points import points
from loyalty.referrals import referral_review, referral_terms, referrals
from loyalty.referrals.referral_terms import Reward, RewardKind
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import shops
from store.clock import SetClock
from tests.chatting import (
    customer_of,
    labels,
    nothing_went_wrong,
    open_shop,
    put_order,
    quiet,
    say,
    settled_person,
    tap,
)
from tests.conftest import NOON
from tests.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIFTY = Reward(RewardKind.POINTS, points=50)


@pytest.fixture(scope="module")
def clock() -> SetClock:
    return SetClock(NOON)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, clock: SetClock
) -> AsyncIterator[Running]:
    async with open_shop(sqlite_template, tmp_path_factory.mktemp("shop"), clock) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Running) -> AsyncIterator[Running]:
    yield opened
    await promise(opened, FIFTY, FIFTY)
    await nothing_went_wrong(opened)


async def promise(shop: Running, referrer: Reward, friend: Reward, daily_limit: int = 20) -> None:
    await shop.store.write(
        referral_terms.change, referrer=referrer, friend=friend, daily_limit=daily_limit, actor="staff:1"
    )


async def code_of(shop: Running, person: Any) -> str:
    return await shop.store.write(referrals.code_of, (await customer_of(shop, person)).id)


async def test_what_both_get_is_said_and_each_messenger_has_its_qr(shop: Running) -> None:
    made = await shop.store.write(
        lambda session: voucher_programs.add(session, name="Trà <đào>", kind=Kind.GIFT, value=20_000)
    )
    await promise(shop, Reward(RewardKind.PERCENT, percent=5, orders=3), Reward(RewardKind.VOUCHER, program_id=made.id))
    lan = await settled_person(shop)
    (caption,) = await say(shop, lan, "/invite")
    assert "Người bạn của bạn nhận: voucher “Trà <đào>”." in caption
    assert "Bạn nhận: 5% của 3 đơn đầu tiên, quy ra điểm." in caption
    assert len(lan.inbox[-1]["photo"]) >= 1
    (other,) = labels(lan.inbox[-1])
    before = len(lan.inbox)
    (said,) = await tap(shop, lan, other)
    assert f"/chat?start=r_{await code_of(shop, lan)}" in said
    assert "photo" in lan.inbox[before]
    huy = shop.api.user(first_name="Huy")
    welcome = (await say(shop, huy, f"/start r_{await code_of(shop, lan)}"))[0]
    assert "Sau đơn đầu tiên bạn nhận: voucher “Trà <đào>”." in welcome
    friend, host = await customer_of(shop, huy), await customer_of(shop, lan)
    await put_order(shop, "V-1", 80_000, customer_id=friend.id)
    await quiet(shop)
    assert "Quà chào mừng bạn đến theo lời giới thiệu. 🎁" in huy.texts[-1]
    assert "Trà <đào>" in huy.texts[-1]
    assert "Huy, người bạn giới thiệu, vừa mua đơn đầu tiên: bạn được +200 điểm." in lan.texts[-1]
    await put_order(shop, "V-2", 40_000, customer_id=friend.id)
    await quiet(shop)
    assert "Huy, người bạn giới thiệu, vừa mua thêm: bạn được +100 điểm." in lan.texts[-1]
    await put_order(shop, "V-1", 80_000, customer_id=friend.id, refunded=40_000)
    await quiet(shop)
    assert "−100 điểm: đơn của người bạn giới thiệu đã được trả lại hoặc thay đổi." in lan.texts[-1]
    for name in ("V-1", "V-2"):
        total = 80_000 if name == "V-1" else 40_000
        await put_order(shop, name, total, customer_id=friend.id, refunded=total)
    await quiet(shop)
    assert any("voucher Trà <đào> tặng kèm cũng được thu lại" in text for text in huy.texts)
    assert (await shop.store.read(points.balances, host.id))[0] == 0


async def test_the_return_period_is_said_and_waited_for(shop: Running, clock: SetClock) -> None:
    first = (await shop.store.read(shops.every))[0].id
    await shop.store.write(lambda session: shops.change(session, first, return_days=7))
    lan = await settled_person(shop)
    assert "Quà về ví sau khi hết 7 ngày đổi trả." in (await say(shop, lan, "/invite"))[0]
    huy = shop.api.user(first_name="Huy")
    await say(shop, huy, f"/start r_{await code_of(shop, lan)}")
    friend = await customer_of(shop, huy)
    await put_order(shop, "W-1", 40_000, customer_id=friend.id)
    await quiet(shop)
    assert "Trong đó 1 người đã mua, đang chờ hết hạn đổi trả." in (await say(shop, lan, "/invite"))[0]
    clock.advance(timedelta(days=7))
    await shop.store.write(referrals.pay_due)
    await quiet(shop)
    assert "bạn được +50 điểm" in lan.texts[-1]
    await shop.store.write(lambda session: shops.change(session, first, return_days=0))


async def test_who_wrote_before_is_no_new_friend_until_the_shop_says_so(shop: Running) -> None:
    lan, huy = await settled_person(shop), shop.api.user(first_name="Huy")
    await say(shop, huy, "/start")
    code = await code_of(shop, lan)
    assert any("dành cho khách mới" in text for text in await say(shop, huy, f"/start r_{code}"))
    friend, host = await customer_of(shop, huy), await customer_of(shop, lan)
    await put_order(shop, "K-1", 40_000, customer_id=friend.id)
    assert (await shop.store.read(points.balances, host.id))[0] == 0
    number = await shop.store.read(
        lambda session: session.execute(
            referrals.referrals.select().where(referrals.referrals.c.friend_id == friend.id)
        ).one()
    )
    await shop.store.write(referral_review.decide, number.id, allow=True, actor="staff:1")
    await quiet(shop)
    assert "Lời giới thiệu của bạn đã được tính." in huy.texts[-1]
    await shop.store.write(referral_review.decide, number.id, allow=False, actor="staff:1")
    await quiet(shop)
    assert "−50 điểm: lời mời kèm theo không được tính." in lan.texts[-1]


async def test_more_friends_than_a_day_may_have_wait_for_the_shop(shop: Running) -> None:
    await promise(shop, FIFTY, Reward(RewardKind.POINTS), daily_limit=1)
    lan = await settled_person(shop)
    code = await code_of(shop, lan)
    first, second = shop.api.user(first_name="Huy"), shop.api.user(first_name="Mai")
    assert "Người bạn của bạn nhận: 50 điểm." in (await say(shop, first, f"/start r_{code}"))[0]
    assert "Quán xem qua lời mời này rồi báo lại bạn nhé." in (await say(shop, second, f"/start r_{code}"))[0]
    assert (await shop.store.read(customers.get, (await customer_of(shop, second)).id)).name == "Mai"
