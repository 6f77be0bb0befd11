"""The console's offers in depth: what a form asks for, how it explains itself, codes for everybody and codes in batches."""

import io

import pytest
import xlsxwriter
from aiohttp import FormData
from PIL import Image

from loyalty.vouchers import batches, shared_codes, voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind, Program
from store.staff import Role
from tests.test_console import Browser, Console, Page, second
from tests.test_console import console as console  # noqa: PLC0414  # fixtures, under their own names
from tests.test_console import database_url as database_url  # noqa: PLC0414

FULL = {
    "name": "Happy tea", "kind": "item", "items": "Trà đào\n\n TD ", "categories": "Trà", "times": "2", "cap": "40.000",
    "min_order": "100.000", "day1": "on", "day2": "on", "day3": "on", "from_time": "14:00", "until_time": "00:00",
    "stock": "500", "per_customer": "2", "per_day": "50", "per_customer_day": "1", "budget": "5.000.000", "stacks": "none",
    "returns": "any", "listed": "on",
}  # fmt: skip


async def made(console: Console) -> Program:
    return (await console.store.read(voucher_programs.of_shop, console.shop))[0]


async def test_a_form_says_everything_and_reads_it_back(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    await browser.post("/shop/offers", FULL)
    offer = await made(console)
    assert (offer.kind, offer.items, offer.categories, offer.times, offer.cap) == (
        "item", ["Trà đào", "TD"], ["Trà"], 2, 40_000,
    )  # fmt: skip
    assert (offer.weekdays, offer.from_minute, offer.until_minute) == ([1, 2, 3], 840, 1_440)
    assert (offer.per_day, offer.per_customer_day, offer.budget, offer.stacks, offer.returns) == (
        50, 1, 5_000_000, "none", "any",
    )  # fmt: skip
    page = await browser.get(f"/shop/offers/{offer.id}")
    assert (
        "2 × Trà đào, TD, Trà for free, up to ₫40,000, on orders from ₫100,000. "
        "It can be used Mon–Wed, 14:00–24:00. 500 in all, 2 for each customer, 50 a day, 1 a day for each customer. "
        "When the discounts have come to ₫5,000,000, it ends by itself. It can't be used together with other vouchers. "
        "Whoever returns a part of the order gets it back too."
    ) in page.text
    assert "₫5,000,000 of the budget left" in page.text
    await browser.post(f"/shop/offers/{offer.id}", FULL | {"day1": "", "budget": ""})
    assert (await made(console)).budget is None
    # What was given stays what it was; its limits may change.
    await console.store.write(vouchers.issue, offer.id)
    await browser.post(f"/shop/offers/{offer.id}", FULL | {"items": "Bánh", "stacks": "all", "per_day": "9"})
    after = await made(console)
    assert (after.items, after.stacks, after.per_day) == (["Trà đào", "TD"], "none", 9)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"items": "", "categories": ""}, "Which item is free?"),
        ({"from_time": ""}, "Give both hours"),
        ({"from_time": "25:00"}, "Give both hours"),
        ({"budget": "-5"}, "A budget is 0 ₫ or more"),
        ({"per_day": "0"}, "At least 1."),
        ({"shared": "on", "shared_code": ""}, "Which code shall everybody use?"),
        ({"shared": "on", "shared_code": "quà"}, "4 to 40 letters"),
    ],
)
async def test_what_cannot_be_right_is_said_at_its_field(console: Console, wrong: dict[str, str], words: str) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    page = await browser.post("/shop/offers", FULL | wrong)
    assert page.status == 422
    assert words in page.text
    assert await console.store.read(voucher_programs.of_shop, console.shop) == []


async def test_a_code_for_everybody_is_made_added_and_stopped(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    await browser.post("/shop/offers", FULL | {"shared": "on", "shared_code": "tet-2027", "price_points": "5"})
    offer = await made(console)
    assert (offer.shared, offer.price_points) == (True, None)
    path = f"/shop/offers/{offer.id}"
    await browser.post(f"{path}/code", {"shared_code": "TET2028"})
    assert (await browser.post(f"{path}/code", {"shared_code": "x"})).status == 422
    await browser.post(f"{path}/code", {"stop": "TET2027"})
    assert [one.code for one in await console.store.read(shared_codes.of_program, offer.id)] == ["TET2028"]
    page = await browser.get(path)
    assert "TET2028" in page.text
    assert "Give one to a customer" not in page.text
    other = await second(console)
    stranger = await console.as_(Role.MANAGER, other)
    assert (await stranger.post(f"{path}/code", {"shared_code": "MINE1"})).status in {403, 404}


async def test_an_offer_of_every_shop_names_its_branches_and_its_company(console: Console) -> None:
    other = await second(console)
    owner = await console.as_(Role.OWNER)
    beside = await console.store.write(voucher_programs.add, name="Tết", kind=Kind.GIFT)
    form = FULL | {"everywhere": "on", f"branch{other}": "on", "stacks": "named", f"with{beside.id}": "on"}
    await owner.post("/shop/offers", form)
    offer = (await console.store.read(voucher_programs.every))[-1]
    assert (offer.shop_id, offer.branches, offer.stacks_with) == (None, [other], [beside.id])
    page = await owner.get(f"/shop/offers/{offer.id}")
    assert "together with “Tết” only." in page.text
    assert "Only at " in page.text


async def upload(browser: Browser, path: str, name: str, content: bytes) -> Page:
    form = FormData(default_to_multipart=True)
    form.add_field("file", content, filename=name, content_type="image/png" if name.endswith("png") else None)
    headers = {"X-CSRF-Token": browser.csrf, "HX-Request": "true"}
    async with browser.http.post(browser.root + path, data=form, headers=headers) as response:
        return Page(response.status, await response.text(), path, response.headers)


async def test_codes_in_batches_are_made_watched_stopped_and_saved(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    offer = await console.store.write(
        voucher_programs.add, name="Flyer", kind=Kind.GIFT, shop_id=console.shop, stock=3_000
    )
    path = f"/shop/offers/{offer.id}/codes"
    assert "No codes in batches yet" in (await browser.get(path)).text
    for count, words in (("x", "whole number"), ("0", "whole number"), ("3.001", "more than the offer has left")):
        page = await browser.post(path, {"count": count})
        assert page.status == 422
        assert words in page.text
    await browser.post(path, {"count": "2.500", "batch_name": "District 7"})
    (batch,) = await console.store.read(batches.of_program, offer.id)
    page = await browser.get(path)
    assert "0 of 2,500 codes" in page.text
    assert "every 1s" in page.html
    async for _ in console.store.stream(batches.work, batch.id):
        break
    assert "2,000 of 2,500 codes" in (await browser.get(f"{path}/progress")).text
    await browser.post(f"/shop/codes/{batch.id}/stop")
    page = await browser.get(f"{path}/progress")
    assert "every 1s" not in page.html
    await browser.post(f"/shop/codes/{batch.id}/resume")
    async for _ in console.store.stream(batches.work, batch.id):
        pass
    saved = (await browser.get(f"/shop/codes/{batch.id}.csv")).html.lstrip("\ufeff").split()
    assert saved[0] == "code,state"
    assert len(set(saved[1:])) == 2_500
    other = await second(console)
    stranger = await console.as_(Role.MANAGER, other)
    for way in (f"/shop/codes/{batch.id}.csv", path, f"/shop/codes/{batch.id}/rejected.csv"):
        assert (await stranger.get(way)).status == 404
    assert (await stranger.post(f"/shop/codes/{batch.id}/stop")).status in {403, 404}


def workbook() -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate((["Mã"], ["ABCD1"], ["ABCD1"], ["ab!"])):
            sheet.write_row(at, 0, row)
    return content.getvalue()


def photo() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (900, 300), "#C2410C").save(content, "PNG")
    return content.getvalue()


async def test_a_list_and_a_picture_are_uploaded(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    offer = await console.store.write(voucher_programs.add, name="Flyer", kind=Kind.GIFT, shop_id=console.shop)
    path = f"/shop/offers/{offer.id}"
    assert (await upload(browser, f"{path}/codes/list", "codes.txt", b"\x00\x01\x02")).status in {204, 422}
    assert (await upload(browser, f"{path}/codes/list", "codes.xlsx", workbook())).status == 204
    batch = (await console.store.read(batches.of_program, offer.id))[0]
    assert (batch.name, batch.wanted) == ("codes.xlsx", 3)
    assert (await upload(browser, f"{path}/image", "cake.png", photo())).status == 204
    assert (await made(console)).image is not None
    async with browser.http.get(f"{browser.root}{path}/image") as response:
        with Image.open(io.BytesIO(await response.read())) as shown:
            assert shown.size == (640, 640)
    assert (await upload(browser, f"{path}/image", "cake.png", b"no picture")).status == 409
