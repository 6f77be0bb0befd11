"""What a campaign's message carries: pictures and buttons, on Telegram and in the web chat, and what becomes of a tap."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from handlers.chat import outreach
from loyalty.outreach.campaigns import campaigns, contents, reports
from loyalty.outreach.campaigns.reports import Bought, ByMessenger, Report
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import erasure, webchat
from store.clock import SetClock
from store.outbox import Purpose
from tests.chatting import (
    Visitor,
    agent,
    customer_of,
    labels,
    last_with_buttons,
    quiet,
    settled_person,
    thread_of,
    tickets_of,
    visiting,
)
from tests.conftest import NOON
from tests.test_campaigns import Shop, serving

LINK = {"kind": "link", "words": {"vi": "Xem thực đơn"}, "to": "https://pho.example/thuc-don"}
CLAIM = {"kind": "claim", "words": {"vi": "Nhận voucher"}}
REPLY = {"kind": "reply", "words": {"vi": "Đặt bàn giúp mình"}}
OPEN = {"kind": "open", "words": {"vi": "Điểm của mình"}, "to": "points"}


@pytest.fixture
async def api(sqlite_url: str, clock: SetClock) -> AsyncIterator[Shop]:
    async with serving(sqlite_url, clock) as found:
        yield found


async def pictures(api: Shop, *colors: str) -> list[str]:
    """Brought over the API; what they are named by."""
    found = []
    for color in colors:
        content = BytesIO()
        Image.new("RGB", (8, 6), color).save(content, "PNG")
        status, made = await api.call("POST", "/media", {"content": base64.b64encode(content.getvalue()).decode()})
        assert (status, made["width"], made["height"]) == (201, 8, 6), made
        found.append(made["id"])
    return found


async def offer(api: Shop, **more: Any) -> int:
    return (
        await api.shop.store.write(
            voucher_programs.add,
            name="Cà phê",
            kind=Kind.AMOUNT,
            value=20_000,
            hidden=True,
            shop_id=api.shop.shop_id,
            **more,
        )
    ).id


async def test_buttons_do_what_they_say_and_taps_are_counted(api: Shop) -> None:
    shop = api.shop
    lan, huy = [await settled_person(shop, first_name=name) for name in ("Lan", "Huy")]
    program = await offer(api, stock=1)
    number = await api.write("Thứ Sáu vui vẻ", voucher_program=program, buttons=[LINK, CLAIM, REPLY])
    await api.let_go(number)
    assert (await api.through(number))["sent"] == 2
    message = last_with_buttons(lan)
    assert message["text"] == "Thứ Sáu vui vẻ"
    assert labels(message) == ["Xem thực đơn", "Nhận voucher", "Đặt bàn giúp mình", "Không nhận tin này nữa"]
    # The address, once.
    (url,) = [row[0]["url"] for row in message["reply_markup"]["inline_keyboard"] if "url" in row[0]]
    async with api.http.get(url, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, LINK["to"])
    # The voucher: one, however often it is asked for; nobody got it without asking.
    for _ in range(2):
        await lan.tap(message, "Nhận voucher")
        await quiet(shop)
    codes = {text.partition(": ")[2].split(".")[0] for text in lan.texts if "/vouchers" in text}
    assert len(codes) == 1
    tap = await huy.tap(last_with_buttons(huy), "Nhận voucher")
    assert tap.answer is not None
    assert tap.answer["show_alert"]
    # The words, said to the shop once.
    for _ in range(2):
        await lan.tap(message, "Đặt bàn giúp mình")
        await quiet(shop)
    (ticket,) = await tickets_of(shop, (await customer_of(shop, lan)).id)
    said = await thread_of(shop, ticket.id, await agent(shop))
    assert [line.text for line in said] == ["Đặt bàn giúp mình (về “Thứ Sáu vui vẻ”)"]
    report = (await api.read(number))["report"]
    assert (report["clicks"], report["redeemed"]) == (1, 0)
    # Nobody taps for somebody else.
    forged = message["reply_markup"]["inline_keyboard"][1][0]["callback_data"]
    await huy.send("Chào")
    await quiet(shop)
    mine = shop.api.world.post(
        huy.chat,
        {"text": "?", "reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": forged}]]}},
        shop.api.world.bot,
    )
    await huy.tap(mine, "x")
    assert not [text for text in huy.texts if "/vouchers" in text]


async def test_pictures_stand_above_the_words_on_every_messenger(api: Shop) -> None:
    shop = api.shop
    lan = await settled_person(shop)
    async with visiting(shop) as visitor:
        await visitor.tap("Bạn")
        before = len(visitor.shown)
        for colors in (["red"], ["red", "blue"]):
            shas = await pictures(api, *colors)
            number = await api.write("Món mới", buttons=[OPEN], pictures=shas)
            await api.let_go(number)
            assert (await api.through(number))["sent"] == 2
        await visitor.caught_up()
        await seen(api, visitor, number)
        shown = visitor.shown[before:]
        assert [(len(one.get("media") or []), one["text"]) for one in shown] == [
            (1, "Món mới"), (1, ""), (1, ""), (0, "Món mới"),
        ]  # fmt: skip
        assert await visitor.tap("Điểm của mình") != []
        # What was said is forgotten in time, not the shop's own pictures.
        await shop.store.write(erasure.forget_bubbles_before, NOON + timedelta(days=1), 1_000)
        assert len(await shop.store.read(contents.kept, shas)) == 2
    sent = [call for call in shop.api.calls if call.method in {"sendPhoto", "sendMediaGroup"}]
    assert [(call.method, call.text) for call in sent] == [("sendPhoto", "Món mới"), ("sendMediaGroup", "")]
    words = [message for message in lan.inbox if message.get("text") == "Món mới"]
    assert [labels(one) for one in words] == [["Điểm của mình", "Không nhận tin này nữa"]]


async def seen(api: Shop, visitor: Visitor, number: int) -> None:
    """What the web chat shows as read, the report counts; of Telegram nobody knows."""

    async def told() -> list[ByMessenger]:
        report = await api.shop.store.read(lambda s: reports.of(s, campaigns.get(s, number)))
        return sorted(report.messengers, key=lambda one: one.name)

    last = visitor.shown[-1]["number"]
    for up_to, read in (last - 1, 0), (last, 1):
        await api.shop.store.write(webchat.seen, int(visitor.boot["visitor"]), up_to)
        assert await told() == [ByMessenger("telegram", 1, None, 0), ByMessenger("web", 1, read, 0)]


def test_profit_is_what_goods_vouchers_and_sending_leave() -> None:
    # 100 heard it and paid 5,000,000 after 400,000 of vouchers; of 50 held out came 1,500,000: as many let expect 3,000,000.
    nobody = Bought(0, 0, 0)
    report = Report(
        150, 50, 0, 100, 0, 0, {}, {}, 0, 0, 0, 100, 20, 400_000, Bought(40, 50, 5_000_000), Bought(15, 15, 1_500_000), {}, None,
        [ByMessenger("sms", 100, None, 20_000)], [],
    )  # fmt: skip
    assert report.extra == 2_000_000
    # 60 % of 2,400,000 at full prices are 1,440,000, less the vouchers, less the sending.
    assert report.profit(60) == 1_440_000 - 400_000 - 20_000
    assert replace(report, held_out=0, beside=nobody).profit(60) is None


async def test_a_stop_between_picture_and_words_tears_nothing_apart(api: Shop) -> None:
    shop = api.shop
    lan = await settled_person(shop)
    number = await api.write("Món mới", pictures=await pictures(api, "red", "blue"))
    # The words wait a second behind the album, which is there; and longer, for its answer takes its time.
    shop.api.fault("sendMediaGroup", kind="slow", seconds=0.5)
    await api.let_go(number)
    await shop.api.wait_calls(1, method="sendMediaGroup")
    await api.call("POST", f"/campaigns/{number}/pause")
    await quiet(shop)
    await api.call("POST", f"/campaigns/{number}/resume")
    async with asyncio.timeout(10):
        await api.through(number)
    assert len(shop.api.calls_of("sendMediaGroup")) == 1
    assert lan.texts.count("Món mới") == 1


@pytest.mark.parametrize(
    ("carried", "field"),
    [
        ({"buttons": [LINK] * 4}, "buttons"),
        ({"buttons": [LINK | {"words": {}}]}, "buttons.0.words"),
        ({"buttons": [LINK | {"words": {"vi": "x" * 41}}]}, "buttons.0.words"),
        ({"buttons": [OPEN, LINK | {"to": "javascript:alert(1)"}]}, "buttons.1.to"),
        ({"buttons": [OPEN | {"to": "shoes"}]}, "buttons.0.to"),
        ({"buttons": [CLAIM]}, "voucher_program"),
        ({"pictures": ["0" * 64]}, "pictures.0"),
    ],
)
async def test_what_cannot_be_sent_is_named(api: Shop, carried: dict[str, Any], field: str) -> None:
    body = {"name": "Thử", "criteria": {"all": []}, "purpose": "care", "messages": {"vi": "x"}} | carried
    status, refused = await api.call("POST", "/campaigns", body)
    assert (status, refused["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("you", ["bạn", "anh", "chị", "quý khách"])
def test_the_code_below_the_words_speaks_to_who_reads_it(you: str) -> None:
    values = {"you": you, "code": "K7MP-2QXD", "expires": ""}
    told = outreach.told("Chào {{ you }}", values, Purpose.CARE, "vi", shorten=str)
    assert told.text == f"Chào {you}\n\nMã của {you}: K7MP-2QXD"
