"""Challenges in the chat: bars that fill, the streak, drawing with a reveal, and what people are told unasked."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from handlers.pictures.thanks import ThankCard, draw_thanks
from loyalty.points import points
from loyalty.recognition import badges, drafts, draws, entries, quests, streaks, surprises, thanks
from loyalty.recognition.badges import BadgeInput
from loyalty.recognition.drafts import DrawInput
from loyalty.recognition.draws import ASSURANCES, Draw, EntryBy, Mode
from loyalty.recognition.prizes import PrizeInput, PrizeKind
from loyalty.recognition.quests import QuestInput
from loyalty.recognition.streaks import Unit
from loyalty.recognition.surprises import When
from loyalty.recognition.visits import Measure
from store import media
from store.clock import SetClock
from tests.chatting import (
    customer_of,
    labels,
    last_with_buttons,
    nothing_went_wrong,
    open_shop,
    put_order,
    quiet,
    say,
    settled_person,
    tap,
    visiting,
)
from tests.conftest import NOON
from tests.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIFTY = PrizeInput("50 điểm", PrizeKind.POINTS, points=50, stock=500)
TABLES = (
    "quest_progress", "quests", "badge_awards", "badges", "draw_entries", "draw_prizes", "surprise_looks", "surprises",
    "wins", "streaks",
)  # fmt: skip


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
    for table in TABLES:
        await opened.store.write(lambda s, name=table: s.execute(sa.text(f"DELETE FROM {name}")))
    await opened.store.write(lambda s: s.execute(sa.text("UPDATE draws SET state = 'draft', closed_at = NULL")))


async def open_draw(shop: Running, entry_by: EntryBy = EntryBy.ORDER, entry_per: int = 0, odds: int = 10_000) -> Draw:
    made = DrawInput("Lì xì", Mode.ODDS, entry_by, entry_per, NOON + timedelta(days=7), [(FIFTY, odds)])
    draw = await shop.store.write(drafts.add, shop.shop_id, made)
    return await shop.store.write(draws.open_draw, draw.id, shop.shop_id, "staff:1", ASSURANCES)


async def test_a_new_shops_menu_is_as_it_was(shop: Running) -> None:
    lan = await settled_person(shop)
    await say(shop, lan, "/menu")
    assert "Thử thách" not in labels(last_with_buttons(lan))
    assert (await say(shop, lan, "/challenges"))[0].startswith("Hiện chưa có thử thách nào.")


async def test_a_quest_fills_its_bar_and_brings_its_prize(shop: Running) -> None:
    lan = await settled_person(shop)
    who = (await customer_of(shop, lan)).id
    await shop.store.write(
        quests.add, shop.shop_id, QuestInput("Ba lần ghé", Measure.ORDERS, 3, FIFTY, about="Vui là chính")
    )
    await shop.store.write(streaks.set_unit, shop.shop_id, Unit.WEEK)
    await shop.store.write(badges.add, shop.shop_id, BadgeInput("Khách quen", "☕", Measure.ORDERS, 2, about="Hai lần"))
    await say(shop, lan, "/menu")
    (said,) = await tap(shop, lan, "Thử thách")
    assert "Ghé hai tuần liền" in said
    assert "Ba lần ghé\nVui là chính\n▱▱▱▱▱▱▱▱▱▱ 0/3 đơn\nPhần thưởng: 50 điểm (còn 500)" in said
    for number in (1, 2):
        await put_order(shop, f"Q{number}", 40_000, customer_id=who)
    await quiet(shop)
    assert "☕ Bạn có huy hiệu mới: Khách quen. Chúc mừng bạn Lan!\nHai lần" in lan.texts[-1]
    (said,) = await say(shop, lan, "Thử thách")
    assert "▰▰▰▰▰▰▱▱▱▱ 2/3 đơn" in said
    assert "Chuỗi của bạn: 1 tuần liền. Ghé trước hết ngày 29/11" in said
    assert "Huy hiệu đã có:\n☕ Khách quen" in said
    await put_order(shop, "Q3", 40_000, customer_id=who)
    await quiet(shop)
    assert "Bạn làm được rồi: Ba lần ghé! 🎉\n+50 điểm đã vào ví của bạn." in lan.texts
    assert "Hoàn thành!" in (await say(shop, lan, "/challenges"))[0]
    assert "trúng: 50 điểm" in (await say(shop, lan, "/points"))[0]


async def test_a_draw_opens_once_however_often_it_is_tapped(shop: Running) -> None:
    draw = await open_draw(shop)
    lan = await settled_person(shop)
    who = (await customer_of(shop, lan)).id
    await put_order(shop, "D1", 40_000, customer_id=who)
    await put_order(shop, "D2", 40_000, customer_id=who)
    await quiet(shop)
    assert any(text.startswith("Bạn có 2 lượt rút thăm “Lì xì”") for text in lan.texts)
    (said,) = await say(shop, lan, "/challenges")
    assert "50 điểm: 100%, còn 500" in said
    assert (draw.seed_hash or "-")[:16] in said
    message = last_with_buttons(lan)
    opening, result = await tap(shop, lan, "Rút thăm: Lì xì", message)
    assert opening == "Lá thăm số 1 đang mở… 🎁"
    assert result == "Chúc mừng bạn Lan! Bạn trúng 50 điểm. 🎉\n+50 điểm đã vào ví của bạn."
    assert await tap(shop, lan, "Rút thăm: Lì xì", message) == []
    assert labels(last_with_buttons(lan))[0] == "Mở lá tiếp theo (còn 1)"
    assert len(await shop.store.read(entries.open_of, draw.id, who)) == 1
    await tap(shop, lan, "Mở lá tiếp theo (còn 1)")
    assert (await shop.store.read(points.balances, who))[0] == 80 + 100
    await shop.store.write(draws.close, draw.id)
    (said,) = await say(shop, lan, "/challenges")
    assert await shop.store.read(draws.secret_seed, draw.id) in said


async def test_no_prize_is_said_kindly_and_points_buy_an_entry(shop: Running) -> None:
    draw = await open_draw(shop, EntryBy.POINTS, 30, odds=1)
    async with visiting(shop) as visitor:
        person = await visitor.customer()
        (said,) = await visitor.say("/challenges")
        assert "Tỷ lệ, từng lượt rút và cách kiểm chứng" in said
        assert f"/lucky/{draw.id}" in str(visitor.shown[-1])
        await visitor.tap("Rút thăm bằng 30 điểm")
        await visitor.tap("Rút luôn")
        assert visitor.toasts[-1]["text"] == "Điểm của bạn chưa đủ cho một lượt rút."
        await put_order(shop, "P1", 40_000, customer_id=person.id)
        texts = await visitor.tap("Rút luôn")
        assert any(text.startswith("Lần này chưa trúng rồi") for text in texts)
        assert (await shop.store.read(points.balances, person.id))[0] == 10
        await visitor.tap("Rút luôn")
        assert visitor.toasts[-1]["text"] == "Lá thăm số 1 đã mở rồi: lần này chưa trúng"
        assert (await shop.store.read(points.balances, person.id))[0] == 10


async def test_a_surprise_and_a_card_come_by_themselves(shop: Running) -> None:
    await shop.store.write(surprises.add, shop.shop_id, "Khách thứ 2", When.NTH, 2, FIFTY)
    lan, ann = await settled_person(shop), await settled_person(shop, first_name="Ann", language_code="en")
    for number, person in enumerate((lan, ann)):
        await put_order(shop, f"S{number}", 40_000, customer_id=(await customer_of(shop, person)).id)
    await quiet(shop)
    assert "Surprise! You are guest number 2 today. 🎁\n+50 points are yours." in ann.texts
    assert not any("Bất ngờ" in text for text in lan.texts)
    who = (await customer_of(shop, lan)).id
    content = draw_thanks(ThankCard("Phố Cafe", "#0F766E", "Gửi Lan,", "Cảm ơn bạn", "Phố Cafe"))
    picture = media.address(content)

    def send(session: sa.orm.Session) -> int:
        media.keep(session, content, "image/png", 1080, 1350)
        task = thanks.add(session, shop.shop_id, who, "", key="k1")
        thanks.done(
            session, task.id, shop.shop_id, note="Cảm ơn", picture=picture, actor="staff:1", width=1080, height=1350
        )
        return task.id

    task = await shop.store.write(send)
    await quiet(shop)
    assert lan.inbox[-1]["caption"] == "Phố Cafe gửi riêng bạn một tấm thiệp. 💌"
    assert lan.inbox[-1]["photo"]
    assert (await shop.store.read(thanks.get, task, shop.shop_id)).sent == "sent"
