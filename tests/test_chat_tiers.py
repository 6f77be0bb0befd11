"""Tiers in the chat: a promotion with the new card, a coming fall with what is missing, where one stands."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image

from handlers.pictures import card
from loyalty.tiers import tier_review, tiers
from loyalty.tiers.tier_rule import Measure, Policy, Window
from loyalty.tiers.tiers import Level
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
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
LEVELS = [Level(1, "Thành viên", 0), Level(2, "Bạc", 1_000_000), Level(3, "Vàng", 5_000_000)]


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
    await nothing_went_wrong(opened)


def picture_of(shop: Running, message: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(shop.api.world.files.by_id[message["photo"][-1]["file_id"]].data or b""))


async def test_a_promotion_comes_with_the_new_card_and_what_it_brings(shop: Running) -> None:
    gift = await shop.store.write(lambda session: voucher_programs.add(session, name="Bánh <ngọt>", kind=Kind.GIFT))
    await shop.store.write(
        tiers.change, 2, multiplier=150, price_cut=10, gift_points=30, gift_program_id=gift.id, priority=3,
        price_list="Giá <quen>", description="Cảm ơn & hẹn gặp lại",
    )  # fmt: skip
    lan = await settled_person(shop)
    await say(shop, lan, "/language")
    await tap(shop, lan, "Cô")
    customer = await customer_of(shop, lan)
    before = len(lan.texts)
    await put_order(shop, "HD-1", 1_000_000, customer_id=customer.id)
    await quiet(shop)
    celebrated = (
        "Chúc mừng cô Lan! Cô đã lên hạng Bạc. 🎉\n• Cảm ơn & hẹn gặp lại\n• Tích thêm 50% điểm cho mỗi đơn\n"
        "• Đổi voucher rẻ hơn 10% điểm\n• Bảng giá riêng: Giá <quen>\n• Được ưu tiên trả lời khi cần hỗ trợ\n"
        "• Quà tặng: 30 điểm\n• Quà tặng: voucher “Bánh <ngọt>”"
    )
    assert lan.texts[before + 1 :] == [celebrated]
    assert labels(lan.inbox[-1]) == ["Thẻ", "Voucher"]
    drawn = picture_of(shop, lan.inbox[-1])
    assert drawn.size == (card.WIDTH, card.HEIGHT)
    (code,) = zxingcpp.read_barcodes(drawn)
    assert code.text == f"regulars:{customer.code}"
    (text,) = await say(shop, lan, "/points")
    assert "quà mừng lên hạng Bạc" in text
    await shop.store.write(
        tiers.change, 2, multiplier=100, price_cut=0, gift_points=0, gift_program_id=None, priority=0, price_list="",
        description="",
    )  # fmt: skip


async def test_a_card_that_cannot_be_drawn_holds_up_no_message(shop: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(_: object) -> bytes:
        raise ValueError("torn")

    lan = await settled_person(shop)
    customer = await customer_of(shop, lan)
    monkeypatch.setattr("bot.notifier.draw_card", torn)
    await put_order(shop, "HD-2", 1_000_000, customer_id=customer.id)
    await quiet(shop)
    assert lan.texts[-1] == "Chúc mừng bạn Lan! Bạn đã lên hạng Bạc. 🎉"
    assert "photo" not in lan.inbox[-1]


async def test_where_one_stands_and_what_is_missing_to_stay(shop: Running, clock: SetClock) -> None:
    await shop.store.write(tier_review.save, LEVELS, Policy(Measure.SPEND, Window.ROLLING))
    lan, ann = await settled_person(shop), await settled_person(shop, first_name="Ann", language_code="en")
    for person, key in ((lan, "HD-3"), (ann, "HD-4")):
        await put_order(shop, key, 1_200_000, customer_id=(await customer_of(shop, person)).id)
    await quiet(shop)
    (text,) = await say(shop, lan, "/points")
    assert "hạng Bạc. Thêm 3.800.000 ₫ nữa là bạn lên Vàng." in text.replace("\u00a0", " ")
    (text,) = await say(shop, ann, "/points")
    assert "tier Bạc. ₫3,800,000 more to reach Vàng." in text
    before = len(lan.texts)
    clock.set(NOON + timedelta(days=340))
    await reviewed(shop)
    day = NOON + timedelta(days=364)
    warned = f"Bạn cần thêm 1.000.000 ₫ trước hết ngày {day:%d/%m/%Y} để giữ hạng Bạc."
    assert [text.replace("\u00a0", " ") for text in lan.texts[before:]].count(warned) == 1
    assert f"₫1,000,000 more by {day.day} {day:%b %Y} and you stay on Bạc." in ann.texts
    (text,) = await say(shop, lan, "/points")
    assert warned in text.replace("\u00a0", " ")
    (text,) = await say(shop, lan, "/card")
    assert text.replace("\u00a0", " ").endswith(warned)
    clock.set(NOON + timedelta(days=366))
    await reviewed(shop)
    fell = "Từ nay hạng của bạn là Thành viên. Thêm 1.000.000 ₫ nữa là bạn lên lại Bạc nhé."
    assert fell in [text.replace("\u00a0", " ") for text in lan.texts]
    assert "Your tier is Thành viên from now on. ₫1,000,000 more and you are back on Bạc." in ann.texts
    clock.set(NOON)


async def reviewed(shop: Running) -> None:
    """The night's review, by the program's own clock or by us, whoever comes first, and what it told."""
    while await shop.store.write(tier_review.review_due):
        await asyncio.sleep(0)
    await quiet(shop)


async def test_a_card_shows_what_is_left_to_stay_at_the_top(shop: Running) -> None:
    from handlers import tier_words
    from handlers.words import words
    from loyalty.tiers.tier_rule import Facts, qualify

    ladder = await shop.store.read(tiers.every)
    policy = Policy(Measure.VISITS, Window.YEAR)
    facts = Facts(ladder[-1].id, ladder[-1].threshold, ladder[-1].keep - 3, NOON + timedelta(days=10))
    top = qualify(ladder, policy, facts, NOON)
    assert tier_words.way_up(words("vi"), top) == ""
    assert tier_words.way_to_stay(words("vi"), top) == "Giữ Vàng: thêm 3 lần ghé trước hết 30/11/2026"
    below = replace(facts, tier_id=ladder[0].id, value=1, ahead=1)
    standing = qualify(ladder, policy, below, NOON)
    assert tier_words.way_up(words("en"), standing) == "999,999 visits to Bạc"
    assert tier_words.way_to_stay(words("en"), standing) == ""
