"""Vouchers in the chat: the wallet with what expires first, a picture of the offer on it, and one given to a friend."""

from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from handlers.chat import gives
from handlers.words import words
from loyalty.vouchers import voucher_gifts, voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind
from store import media
from store.clock import SetClock
from tests.chatting import customer_of, nothing_went_wrong, open_shop, quiet, say, settled_person, tap, visiting
from tests.conftest import NOON
from tests.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


def photo() -> bytes:
    content = BytesIO()
    Image.new("RGB", (640, 480), "#C2410C").save(content, "JPEG")
    return content.getvalue()


async def test_the_wallet_says_for_what_when_and_what_expires_first(shop: Running) -> None:
    lan = await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    offers = [
        {"name": "Trà chiều", "kind": Kind.PERCENT, "value": 10, "categories": ["Trà"], "weekdays": [1, 2, 3, 4, 5, 7],
         "from_minute": 14 * 60, "until_minute": 24 * 60, "valid_days": 30},
        {"name": "Sinh nhật", "kind": Kind.ITEM, "items": ["Bánh kem"], "valid_days": 3},
    ]  # fmt: skip
    for values in offers:
        made = await shop.store.write(voucher_programs.add, **values)
        await shop.store.write(vouchers.issue, made.id, customer)
    (text,) = await say(shop, lan, "/vouchers")
    first, second = text.split("\n\n")[1:]
    assert first.startswith("Sinh nhật\nTặng Bánh kem · đến 24/11/2026\n")
    assert first.endswith("\n⏳ Còn 3 ngày")
    assert second.startswith("Trà chiều\nGiảm 10% · cho Trà · T2–T6, CN, 14:00–24:00 · đến 21/12/2026\n")


async def test_the_offers_picture_is_on_the_voucher(shop: Running) -> None:
    lan = await settled_person(shop)
    sha = await shop.store.write(media.keep, photo(), "image/jpeg", 640, 480)
    made = await shop.store.write(voucher_programs.add, name="Bánh", kind=Kind.GIFT, image=sha)
    await shop.store.write(vouchers.issue, made.id, (await customer_of(shop, lan)).id)
    await say(shop, lan, "/vouchers")
    await tap(shop, lan, "Mã QR: Bánh")
    stored = shop.api.world.files.by_id[lan.inbox[-1]["photo"][-1]["file_id"]]
    picture = Image.open(BytesIO(stored.data)).convert("RGB")
    red = [picture.getpixel((x, 304)) for x in range(400, 680, 20)]
    assert any(pixel[0] > 180 and pixel[1] < 80 for pixel in red)


async def test_a_voucher_goes_to_a_friend_by_its_link(shop: Running) -> None:
    lan, huy = await settled_person(shop), await settled_person(shop, first_name="Huy")
    customer = (await customer_of(shop, lan)).id
    made = await shop.store.write(voucher_programs.add, name="Kem", kind=Kind.GIFT)
    given = await shop.store.write(vouchers.issue, made.id, customer)
    await say(shop, lan, "/vouchers")
    await tap(shop, lan, "Mã QR: Kem")
    (text,) = await tap(shop, lan, "Tặng bạn bè")
    assert "chờ đến 12:00 28/11/2026" in text
    code = text.split("start=v_")[1].split()[0]
    assert "Đang chờ bạn của bạn nhận." in (await say(shop, lan, "/vouchers"))[0]
    await say(shop, huy, f"/start v_{code}")
    assert any("Kem" in one for one in huy.texts[-2:])
    await quiet(shop)
    assert "đã nhận quà của bạn: Kem" in lan.texts[-1]
    assert await shop.store.read(vouchers.wallet, customer) == []
    (kept,) = await shop.store.read(vouchers.wallet, (await customer_of(shop, huy)).id)
    assert kept.voucher.id == given.id


async def test_a_gift_is_taken_back_and_an_unopened_one_comes_back(shop: Running, clock: SetClock) -> None:
    lan = await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    made = await shop.store.write(voucher_programs.add, name="Xôi", kind=Kind.GIFT)
    given = await shop.store.write(vouchers.issue, made.id, customer)
    await shop.store.write(voucher_gifts.offer, given.id, customer)
    await say(shop, lan, "/vouchers")
    await tap(shop, lan, "Lấy lại: Xôi")
    assert (await shop.store.read(vouchers.get, given.id)).state == "open"
    await shop.store.write(voucher_gifts.offer, given.id, customer)
    clock.advance(timedelta(days=8))
    await shop.store.write(voucher_gifts.lapse_due)
    await quiet(shop)
    assert lan.texts[-1] == "Chưa ai nhận quà Xôi, nên voucher lại là của bạn."


async def test_visitors_who_guess_from_one_address_are_stopped(shop: Running) -> None:
    told: list[str] = []
    for number in range(3):
        async with visiting(shop) as stranger:
            told += [" ".join(await stranger.say(f"/start v_GUESS{number}{guess}")) for guess in range(8)]
    assert "nhiều lần" not in told[19]
    assert "nhiều lần" in told[20]


async def test_terms_in_both_languages() -> None:
    made = voucher_programs.Program(
        1, None, "x", "item", 0, 30_000, 0, None, 0, None, None, None, None, None, False, None,
        categories=["A", "B", "C", "D"], times=2, weekdays=[1, 2, 4], from_minute=60, until_minute=125,
    )  # fmt: skip
    assert gives.terms(words("en"), made, None, ["Cầu Giấy"]) == (
        "2 × A, B, C and others for free, up to ₫30,000 · Mon, Tue, Thu, 01:00–02:05 · at Cầu Giấy"
    )
    assert gives.terms(words("vi"), made).replace("\xa0", " ") == (
        "Tặng 2 × A, B, C và món khác, tối đa 30.000 ₫ · T2, T3, T5, 01:00–02:05"
    )
