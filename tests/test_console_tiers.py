"""The tiers in the console: levels and benefits, rules looked at before they are saved, who may change them."""

import re
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.pictures.card import HEIGHT, WIDTH
from loyalty.customers.customers import customers
from loyalty.tiers import qualification, tier_review, tiers
from loyalty.tiers.tier_rule import Falling, Measure, Policy, Window
from store import media
from store.engine import Store
from store.staff import Role
from tests.test_console import HOA, Console, console, offer, second

__all__ = ["console"]

RULES = {
    "measure": "tier_points", "window": "lifetime", "falling": "reevaluated", "grace_days": "0", "notice_days": "30",
    "id_0": "1", "name_0": "Thành viên", "threshold_0": "0", "id_1": "2", "name_1": "Bạc", "threshold_1": "50",
    "id_2": "3", "name_2": "Vàng", "threshold_2": "250", "id_3": "4", "name_3": "Bạch kim", "threshold_3": "1.000",
}  # fmt: skip
LEVEL = {
    "name": "Vàng", "description": "", "price_list": "", "style": "honey", "multiplier": "100", "price_cut": "0",
    "gift_points": "0", "priority": "0", "gift_program_id": "",
}  # fmt: skip


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def held(store: Store) -> dict[str, str]:
    def look(session: Session) -> dict[str, str]:
        names = tiers.names(session)
        rows = session.execute(select(customers.c.name, customers.c.tier_id))
        return {row.name: names[row.tier_id or 1] for row in rows}

    return await store.read(look)


async def test_the_ladder_says_who_stands_where_and_what_it_brings(console: Console) -> None:
    await console.order("A1", total=1_000_000)
    await console.store.write(tiers.change, 2, multiplier=150, price_cut=10)
    owner = await console.as_(Role.OWNER)
    page = await owner.get("/shop/tiers")
    assert page.status == 200
    assert "Everything since they joined counts." in page.text
    assert "from 50 tier points · 1 customer" in page.text
    assert "50% more points on every order Vouchers for 10% fewer points" in page.text
    assert (await owner.get("/shop")).html.count('href="/shop/tiers"') == 2


async def test_looks_and_benefits_are_saved_and_written_down(console: Console) -> None:
    gift = await offer(console, name="Bánh sinh nhật")
    owner = await console.as_(Role.OWNER)
    await owner.get("/shop/tiers/3")
    form = LEVEL | {
        "name": "  Vàng  ròng ", "multiplier": "150", "price_cut": "15", "gift_points": "1.000", "priority": "5",
        "price_list": "https://pho.example/gia", "style": "own", "first": "#7c3aed", "second": "#22d3ee",
        "gift_program_id": str(gift.id), "description": "Khách quen",
    }  # fmt: skip
    page = await owner.post("/shop/tiers/3", form)
    assert (page.status, page.path) == (200, "/shop/tiers/3")
    assert "Saved. It counts from now on." in page.text
    tier = await console.store.read(tiers.get, 3)
    assert (tier.name, tier.multiplier, tier.price_cut, tier.gift_points, tier.priority) == (
        "Vàng ròng",
        150,
        15,
        1_000,
        5,
    )
    assert (tier.style, tier.look, tier.gift_program_id) == ("#7C3AED,#22D3EE", ("#7C3AED", "#22D3EE"), gift.id)
    (row,) = await console.rows("tier_changed")
    assert row.data["changed"]["multiplier"] == [100, 150]
    assert row.data["changed"]["style"] == ["honey", "#7C3AED,#22D3EE"]
    await owner.post("/shop/tiers/3", form)
    assert len(await console.rows("tier_changed")) == 1


async def test_what_a_level_cannot_be_is_said_at_the_field(console: Console) -> None:
    other = await offer(console, await second(console))
    owner = await console.as_(Role.OWNER)
    await owner.get("/shop/tiers/3?shop=1")
    wrong: list[tuple[dict[str, str], str, str]] = [
        ({"multiplier": "1,5"}, "multiplier", "Write a whole number"), ({"multiplier": "0"}, "multiplier", "Between 1 and"),
        ({"price_cut": "91"}, "price_cut", "Between 0 and 90"), ({"name": " "}, "name", "between 1 and 40"),
        ({"priority": ""}, "priority", "Write a whole number"), ({"style": "gold"}, "style", "two colours"),
        ({"style": "own", "first": "red", "second": "#000000"}, "style", "two colours"),
        ({"gift_program_id": str(other.id)}, "gift_program_id", "one of your offers"),
    ]  # fmt: skip
    for values, field, words in wrong:
        page = await owner.post("/shop/tiers/3?shop=1", LEVEL | values)
        assert page.status == 422
        assert words in page.error_at(field), values
    assert await console.rows("tier_changed") == []


async def test_rules_are_looked_at_and_then_saved(console: Console) -> None:
    await console.order("A1", total=1_200_000)
    await console.order("A2", total=5_000_000, phone=HOA, name="Hoa")
    owner = await console.as_(Role.OWNER)
    await owner.get("/shop/tiers/rules")
    form = RULES | {
        "threshold_1": "100",
        "keep_1": "80",
        "threshold_2": "150",
        "name_4": "Kim cương",
        "threshold_4": "200",
    }
    del form["threshold_3"], form["name_3"]
    page = await owner.post("/shop/tiers/rules/preview", form)
    assert "1 customer will rise to Kim cương Hoa" in page.text
    assert "1 customer will go back to Thành viên Nguyễn Thị Lan" in page.text
    assert "2 customers looked at." in page.text
    assert await held(console.store) == {"Nguyễn Thị Lan": "Bạc", "Hoa": "Vàng"}
    seen = page.hidden("seen")
    # Other rules than those that were looked at are shown, not saved.
    other = await owner.post("/shop/tiers/rules", form | {"seen": seen, "threshold_1": "60", "keep_1": ""})
    assert "1 customer will rise to Kim cương" in other.text
    assert "go back" not in other.text
    assert await console.rows("tier_rules_changed") == []
    page = await owner.post("/shop/tiers/rules", form | {"seen": seen})
    assert (page.path, "Saved." in page.text) == ("/shop/tiers", True)
    while await console.store.write(tier_review.review_due):
        pass
    assert await held(console.store) == {"Nguyễn Thị Lan": "Thành viên", "Hoa": "Kim cương"}
    (row,) = await console.rows("tier_rules_changed")
    assert [level[1:] for level in row.data["before"]["levels"]][-1] == ["Bạch kim", 1_000, 1_000]
    assert [level[1:] for level in row.data["after"]["levels"]] == [
        ["Thành viên", 0, 0], ["Bạc", 100, 80], ["Vàng", 150, 150], ["Kim cương", 200, 200],
    ]  # fmt: skip


async def test_the_whole_policy_is_a_form(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    form = RULES | {
        "measure": "spend", "window": "rolling", "falling": "step", "grace_days": "30", "notice_days": "14",
        "threshold_1": "1.000.000", "keep_1": "800.000", "threshold_2": "5,000,000", "threshold_3": "20000000",
        "out_3": "on",
    }  # fmt: skip
    page = await owner.post("/shop/tiers/rules/preview", form)
    assert "Nobody would move." in page.text
    page = await owner.post("/shop/tiers/rules", form | {"seen": page.hidden("seen")})
    assert "Before falling there are 30 days of grace." in page.text
    assert "from ₫1,000,000 · kept with ₫800,000" in page.text
    rule = await console.store.read(qualification.policy)
    assert rule == Policy(Measure.SPEND, Window.ROLLING, Falling.STEP, 30, 14)
    assert [tier.name for tier in await console.store.read(tiers.every)] == ["Thành viên", "Bạc", "Vàng"]
    page = await owner.get("/shop/tiers/rules")
    assert re.search(r'name="keep_1" value="800,000"', page.html)
    assert re.search(r'value="step" selected', page.html)


async def test_rules_that_cannot_be_are_said_at_the_field(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    wrong: list[tuple[dict[str, str], str, str]] = [
        ({"threshold_1": "x"}, "threshold_1", "Write a whole number"), ({"threshold_1": ""}, "threshold_1", "Write a whole number"),
        ({"threshold_2": "50"}, "threshold_2", "just as much"), ({"keep_1": "51"}, "keep_1", "more than reaching"),
        ({"keep_2": "40"}, "keep_2", "less than keeping"), ({"name_1": "x" * 41}, "name_1", "between 1 and 40"),
        ({"grace_days": "367"}, "grace_days", "Between 0 and 366"), ({"notice_days": ""}, "notice_days", "Write a whole"),
        ({"threshold_0": "5"}, "levels", "begins at 0"),
    ]  # fmt: skip
    for values, field, words in wrong:
        for path in ("/shop/tiers/rules/preview", "/shop/tiers/rules"):
            page = await owner.post(path, RULES | values)
            assert page.status == 422, values
            assert words in page.error_at(field), values


async def test_who_may_change_what_all_shops_share(console: Console) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    assert "Save" in (await manager.get("/shop/tiers/3")).text
    assert (await manager.post("/shop/tiers/3", LEVEL | {"multiplier": "110"})).status == 200
    await second(console)
    page = await manager.get("/shop/tiers/3")
    assert "Only who runs every shop can change them." in page.text
    assert (await manager.post("/shop/tiers/3", LEVEL | {"multiplier": "120"})).status == 403
    shown = await manager.post("/shop/tiers/rules/preview", RULES)
    refused = await manager.post("/shop/tiers/rules", RULES | {"seen": shown.hidden("seen")})
    assert refused.status == 403
    assert (await console.store.read(tiers.get, 3)).multiplier == 110
    for role in (Role.AGENT, Role.SUPERVISOR, Role.CASHIER):
        assert (await (await console.as_(role)).get("/shop/tiers")).status == 403
    owner = await console.as_(Role.OWNER)
    assert (await owner.post("/shop/tiers/3?shop=1", LEVEL, csrf="wrong")).status == 403
    assert (await owner.get("/shop/tiers/99?shop=1")).status == 404


async def test_a_picture_is_cut_square_and_stands_on_the_card(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    await owner.get("/shop/tiers/3")

    async def send(content: bytes | None, token: str) -> aiohttp.ClientResponse:
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("none", "1")
        if content is not None:
            form.add_field("picture", content, filename="gold.jpg", content_type="image/jpeg")
        return await owner.http.post(
            f"{console.root}/shop/tiers/3/picture", data=form, headers={"X-CSRF-Token": token, "HX-Request": "true"}
        )

    kept = BytesIO()
    Image.new("RGB", (900, 300), "#FF0000").save(kept, "JPEG")
    assert (await send(kept.getvalue(), "wrong")).status == 403
    plain = await card_of(owner, console)
    assert (await send(kept.getvalue(), owner.csrf)).status == 204
    tier = await console.store.read(tiers.get, 3)
    assert tier.picture is not None
    stored = await console.store.read(media.load, tier.picture)
    with Image.open(BytesIO(stored.content)) as picture:
        assert picture.size == (512, 512)
    drawn = await card_of(owner, console)
    assert drawn.size == (WIDTH, HEIGHT)
    reds = sum(count for count, colour in drawn.getcolors(1 << 20) or [] if colour == (254, 0, 0))
    assert reds > 1_000
    assert plain.tobytes() != drawn.tobytes()
    assert (await send(b"no picture at all", owner.csrf)).status in {409, 422}
    assert (await send(None, owner.csrf)).status == 204
    assert (await console.store.read(tiers.get, 3)).picture is None


async def card_of(browser: Any, console: Console) -> Image.Image:
    async with browser.http.get(f"{console.root}/shop/tiers/3/card.png") as response:
        assert response.status == 200
        return Image.open(BytesIO(await response.read())).convert("RGB")
