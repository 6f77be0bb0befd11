"""Recognition's pages: what owners and managers set up, audited; what others may not; the draw's page for everybody."""

# ruff: noqa: F811  # the fixtures of the console's own tests are asked for by their names

import io
import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import FormData
from PIL import Image

from loyalty import programme
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.recognition import badges, draws, entries, quests, streaks, surprises, thanks, wins
from loyalty.recognition.draws import ASSURANCES
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store.engine import Store
from store.notices import NoticeRow
from store.staff import Role
from tests.conftest import NOON
from tests.test_console import Browser, Console, console, database_url  # noqa: F401  # fixtures of the console's own tests

DAY = (NOON + timedelta(days=5)).date().isoformat()
QUEST = {
    "name": "Ba món mới", "about": "Trong tháng này", "measure": "new_dishes", "target": "3", "every": "month",
    "prize_kind": "points", "prize_points": "50",
}  # fmt: skip
DRAW = {
    "name": "Lì xì", "about": "Vui thôi", "mode": "odds", "entry_by": "order", "entry_per": "0", "when_out": "next",
    "ends_on": DAY, "prize_1_kind": "points", "prize_1_points": "50", "prize_1_stock": "100", "prize_1_odds": "12,5",
    "prize_2_kind": "thing", "prize_2_name": "Ly sứ", "prize_2_stock": "2", "prize_2_odds": "0.05", "prize_2_value": "120.000",
}  # fmt: skip
EVERY_BOX = {f"assured_{name}": "on" for name in ASSURANCES}


async def order(console: Console, number: str, **values: Any) -> int:
    usual = {"total": 40_000, "status": Status.COMPLETED, "phone": "+84903123456", "name": "Nguyễn Thị Lan"}
    told = OrderInput(currency="VND", placed_at=console.store.clock.now(), **(usual | values))
    state = await console.store.write(orders.put, console.shop, number, told)
    assert state.customer_id is not None
    return state.customer_id


@pytest.fixture
async def owner(console: Console) -> Browser:
    return await console.as_(Role.OWNER)


async def test_only_who_runs_the_shop_may_set_it_up(console: Console) -> None:
    agent = await console.as_(Role.AGENT, console.shop)
    for path in ("/shop/recognition", "/shop/quests/new", "/shop/draws/new", "/shop/thanks"):
        assert (await agent.get(path)).status == 403
    assert (await agent.post("/shop/quests", QUEST)).status == 403
    manager = await console.as_(Role.MANAGER, console.shop)
    assert (await manager.get("/shop/recognition")).status == 200
    assert (await manager.post("/shop/quests", QUEST, csrf="wrong")).status == 403
    made = await manager.post("/shop/quests", QUEST)
    assert made.status == 200
    # Another shop's manager can't see it.
    other = await console.store.write(programme.open_shop, "Khác", timezone="Asia/Ho_Chi_Minh", language="vi")
    stranger = await console.as_(Role.MANAGER, other)
    quest = (await console.store.read(quests.of_shop, console.shop))[0]
    assert (await stranger.get(f"/shop/quests/{quest.id}")).status == 404


async def test_a_quest_is_made_changed_and_ended_with_an_audit(console: Console, owner: Browser) -> None:
    refused = await owner.post("/shop/quests", QUEST | {"target": "0", "prize_points": "x", "name": ""})
    assert refused.status == 422
    assert refused.error_at("prize_points")
    for broken, field in (({"name": " "}, "name"), ({"target": "0"}, "target"), ({"prize_points": "0"}, "prize_points"),
                          ({"prize_kind": "voucher"}, "prize_program_id"), ({"ends_on": "2020-01-01"}, "ends_on"),
                          ({"prize_kind": "thing"}, "prize_name"), ({"prize_stock": "-1"}, "prize_stock")):  # fmt: skip
        page = await owner.post("/shop/quests", QUEST | broken)
        assert page.status == 422, broken
        assert page.error_at(field)
    made = await owner.post("/shop/quests", QUEST)
    quest = (await console.store.read(quests.of_shop, console.shop))[0]
    assert made.path == f"/shop/quests/{quest.id}"
    assert (quest.target, quest.every, quest.measure) == (3, "month", "new_dishes")
    await owner.post(made.path, {"name": "Bốn món mới", "about": "", "ends_on": DAY})
    await owner.post(f"{made.path}/end")
    rows = await console.rows("quest_changed")
    assert rows[0].data["changed"]["name"] == ["Ba món mới", "Bốn món mới"]
    assert len(rows) == 2
    assert (await console.rows("quest_added"))[0].data["after"]["target"] == 3
    preview = await owner.get("/shop/quests/preview?name=X&measure=spend&target=300.000")
    assert "▰▰▰▱" in preview.html


async def test_a_streak_is_switched_on_and_off(console: Console, owner: Browser) -> None:
    await owner.post("/shop/recognition/streak", {"unit": "week"})
    assert await console.store.read(streaks.unit_of, console.shop) == "week"
    await owner.post("/shop/recognition/streak", {"unit": ""})
    assert await console.store.read(streaks.unit_of, console.shop) is None
    assert [row.data["changed"]["unit"] for row in await console.rows("streak_changed")] == [
        [None, "week"],
        ["week", None],
    ]


async def test_a_badge_is_made_given_and_stopped(console: Console, owner: Browser) -> None:
    made = await owner.post("/shop/badges", {"name": "Bạn quán", "icon": "🌱", "measure": "hand", "about": "Vì bạn"})
    who = await order(console, "A1")
    given = await owner.post(f"{made.path}/give", {"who": "0903123456"})
    assert "Given to" in given.text
    assert "already" in (await owner.post(f"{made.path}/give", {"who": "0903123456"})).text
    assert (await owner.post(f"{made.path}/give", {"who": "0999999999"})).error_at("who")
    assert [badge.icon for badge, _ in await console.store.read(badges.of_customer, console.shop, who)] == ["🌱"]
    await owner.post(f"{made.path}/stop")
    assert not (await console.store.read(badges.of_shop, console.shop))[0].active
    page = await owner.post(made.path, {"name": "Bạn thân", "icon": "🌱", "measure": "orders", "target": ""})
    assert page.error_at("target")
    await owner.post(made.path, {"name": "Bạn thân", "icon": "🌱", "measure": "orders", "target": "5"})
    assert (await console.rows("badge_changed"))[-1].data["changed"]["measure"] == ["hand", "orders"]


async def test_a_draw_is_opened_only_with_every_assurance_and_then_frozen(
    console: Console,
    owner: Browser,
) -> None:
    refused = await owner.post("/shop/draws", DRAW | {"prize_1_odds": "100", "prize_2_odds": "1"})
    assert "101%" in refused.text
    for broken, field in (({"prize_2_stock": ""}, "prize_2_stock"), ({"prize_1_odds": "12,345"}, "prize_1_odds"),
                          ({"ends_on": ""}, "ends_on"), ({"mode": "tickets", "tickets": "5"}, "tickets"),
                          ({"prize_2_name": ""}, "prize_2_name"), ({"entry_by": "points"}, "entry_per")):  # fmt: skip
        assert (await owner.post("/shop/draws", DRAW | broken)).error_at(field), broken
    made = await owner.post("/shop/draws", DRAW)
    assert made.path.startswith("/shop/draws/")
    draw = (await console.store.read(draws.of_shop, console.shop))[0]
    assert [(one.odds, one.prize.stock) for one in await console.store.read(draws.placed, draw.id)] == [
        (1250, 100),
        (5, 2),
    ]
    assert "Decree 81/2018" in made.text
    assert "no legal advice" in made.text
    assert (await owner.get(f"/lucky/{draw.id}")).status == 404
    few = await owner.post(f"{made.path}/open", dict(list(EVERY_BOX.items())[:3]))
    assert few.status == 422
    assert few.error_at("assured")
    await owner.post(made.path, DRAW | {"name": "Lì xì Tết"})
    opened = await owner.post(f"{made.path}/open", EVERY_BOX)
    draw = await console.store.read(draws.get, draw.id)
    assert (draw.state, draw.name, draw.assured["what"]) == ("open", "Lì xì Tết", list(ASSURANCES))  # type: ignore[index]
    assert draw.seed_hash
    assert draw.seed_hash in opened.html
    assert (await owner.post(made.path, DRAW)).status == 409
    assert (await console.rows("draw_open"))[0].data["assured"] == list(ASSURANCES)
    closed = await owner.post(f"{made.path}/close")
    seed = await console.store.read(draws.secret_seed, draw.id)
    assert seed in closed.html


async def test_everybody_sees_odds_seal_and_log_and_the_seed_only_at_the_end(
    console: Console,
    owner: Browser,
) -> None:
    made = await owner.post("/shop/draws", DRAW)
    await owner.post(f"{made.path}/open", EVERY_BOX)
    draw = (await console.store.read(draws.of_shop, console.shop))[0]
    who = await order(console, "A1")
    (entry,) = await console.store.read(entries.open_of, draw.id, who)
    await console.store.write(entries.draw, entry, who)
    seed = await console.store.read(draws.secret_seed, draw.id)
    page = await owner.get(f"/lucky/{draw.id}?lang=vi")
    assert page.status == 200
    assert "12,5%" in page.text
    assert "0,05%" in page.text
    assert draw.seed_hash is not None
    assert draw.seed_hash in page.html
    assert seed not in page.html
    assert seed not in (await owner.get(made.path)).html
    document = json.loads((await owner.get(f"/lucky/{draw.id}.json")).html)
    assert document["seed"] is None
    assert len(document["log"]) == 1
    await owner.post(f"{made.path}/close")
    assert seed in (await owner.get(f"/lucky/{draw.id}")).html
    assert json.loads((await owner.get(f"/lucky/{draw.id}.json")).html)["seed"] == seed


async def test_a_prize_waits_at_the_counter_until_it_is_handed_over(console: Console, owner: Browser) -> None:
    await owner.post(
        "/shop/quests", QUEST | {"measure": "orders", "target": "1", "prize_kind": "thing", "prize_name": "Ly sứ"}
    )
    who = await order(console, "A1")
    page = await owner.get("/shop/recognition")
    assert "To hand over" in page.text
    assert "Ly sứ" in page.text
    ((win, _),) = await console.store.read(wins.of_customer, who)
    await owner.post(f"/shop/wins/{win.id}/hand")
    assert (await console.store.read(wins.get, win.id)).state == "handed"
    assert "To hand over" not in (await owner.get("/shop/recognition")).text
    assert (await owner.post(f"/shop/wins/{win.id}/again")).status == 409
    assert (await console.rows("prize_handed"))[0].data["win"] == win.id


async def test_a_surprise_is_made_watched_and_ended(console: Console, owner: Browser) -> None:
    offer = await console.store.write(
        voucher_programs.add, name="Trà đào", kind=Kind.GIFT, value=0, shop_id=console.shop
    )
    form = {"name": "May", "happens": "chance", "n": "2", "prize_kind": "voucher", "prize_program_id": str(offer.id)}
    assert (await owner.post("/shop/surprises", form | {"n": "1"})).error_at("n")
    assert (await owner.post("/shop/surprises", form | {"prize_program_id": ""})).error_at("prize_program_id")
    made = await owner.post("/shop/surprises", form)
    for number in range(6):
        await order(console, f"A{number}", phone=f"+8490312345{number}")
    rule = (await console.store.read(surprises.of_shop, console.shop))[0]
    assert rule.seed_hash in (await owner.get(made.path)).html
    ended = await owner.post(f"{made.path}/end")
    assert await console.store.read(surprises.seed_of, await console.store.read(surprises.get, rule.id)) in ended.html


async def test_a_card_is_written_seen_and_sent_once(console: Console, owner: Browser) -> None:
    await owner.post("/shop/thanks/rules", {"why": "orders", "n": "1", "hint": "Nhắc món quen"})
    who = await order(console, "A1")
    assert "Nhắc món quen" in (await owner.get("/shop/thanks")).text
    (task,) = await console.store.read(lambda s: thanks.of_shop(s, console.shop, open_only=True))
    page = await owner.get(f"/shop/thanks/{task.id}")
    assert "no messenger" in page.text
    drawn = await owner.http.get(f"{owner.root}/shop/thanks/{task.id}/card.png?note=Ch%C3%A0o")
    assert Image.open(io.BytesIO(await drawn.read())).size == (1080, 1350)
    assert (await owner.post(f"/shop/thanks/{task.id}/send", {"note": " "})).error_at("note")
    await owner.post(f"/shop/thanks/{task.id}/send", {"note": "Cảm ơn chị Lan!\nHẹn gặp lại."})
    assert (await owner.post(f"/shop/thanks/{task.id}/send", {"note": "Lần nữa"})).status == 409
    (told,) = await notices_of(console.store, "thank_card")
    kept = await console.store.read(thanks.get, task.id, console.shop)
    assert told["files"][0]["sha"] == kept.picture
    assert kept.note.startswith("Cảm ơn")
    # By hand, and by a photo: what is not a picture is refused.
    asked = await owner.post(f"/shop/customers/{who}/thanks", {"hint": "Sinh em bé", "key": "k1"})
    task_id = int(asked.path.rpartition("/")[2])
    headers = {"X-CSRF-Token": owner.csrf, "HX-Request": "true"}
    url = f"{owner.root}/shop/thanks/{task_id}/photo"
    photo = io.BytesIO()
    Image.new("RGB", (2400, 1200), "#EEE").save(photo, "JPEG")
    for content, status in ((b"no picture", 422), (photo.getvalue(), 204)):
        form = FormData()
        form.add_field("photo", content, filename="note.jpg", content_type="image/jpeg")
        async with owner.http.post(url, data=form, headers=headers) as answer:
            assert answer.status == status, await answer.text()
    files = (await notices_of(console.store, "thank_card"))[-1]["files"][0]
    assert (files["width"], files["height"]) == (1600, 800)
    skipped = await owner.post(f"/shop/customers/{who}/thanks", {"hint": "", "key": "k2"})
    await owner.post(f"{skipped.path}/skip")
    assert await console.store.read(thanks.waiting, console.shop) == 0
    rule = (await console.store.read(thanks.rules_of, console.shop))[0]
    await owner.post(f"/shop/thanks/rules/{rule.id}/remove")
    assert await console.store.read(thanks.rules_of, console.shop) == []


async def notices_of(store: Store, kind: str) -> list[dict[str, Any]]:
    query = sa.select(NoticeRow).where(NoticeRow.kind == kind).order_by(NoticeRow.id)
    return await store.read(lambda s: [row.params for row in s.execute(query).scalars()])
