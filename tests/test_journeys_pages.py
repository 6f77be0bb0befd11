"""Journeys in the console, and what is around them: taken over, composed, tried, tasks, entries, merges, forgetting."""

import re
from datetime import date, timedelta
from html import unescape
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from multidict import MultiDict
from PIL import Image
from sqlalchemy import func, select

from bot.chores import _to_the_end
from handlers.web.shop.journeys import said
from loyalty.customers import claims
from loyalty.outreach import deliveries
from loyalty.outreach.journeys import beginnings, dry_run, entries, journeys, ready, runs, standings, tasks
from loyalty.outreach.segments import saved
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import events
from store.base import raw
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError, NotFoundError
from store.staff import Role
from support import privacy
from tests.test_console import Browser, Console, Page, console, database_url, second
from tests.test_journeys import WHO, journey, order, person, planned, say, shop, tick

__all__ = ["console", "database_url", "shop"]


async def written_of(store: Store) -> list[int]:
    """How many rows stand where a journey may write."""

    def look(session: Any) -> list[int]:
        tables = (runs.runs, tasks.tasks, entries.entries, deliveries.deliveries, events.events, journeys.journeys)
        return [session.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    return await store.read(look)


async def test_each_ready_one_is_taken_over_as_a_draft_and_opens(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    for key in ready.READY:
        page = await owner.post(f"/shop/journeys/ready/{key}")
        assert page.status == 200
        made = (await console.store.read(journeys.of_shop, console.shop))[-1]
        assert not made.on
        assert all(set(words) == {"vi", "en"} for words in journeys.messages(made).values())
        # What the page shows is what it saves.
        kept = await send(owner, f"/shop/journeys/{made.id}", form_of(page.html))
        assert kept.status == 200, (key, kept.text)
        after = await console.store.read(journeys.get, made.id)
        assert (after.trigger, after.criteria, after.steps) == (made.trigger, made.criteria, made.steps), key


def form_of(html: str) -> MultiDict[str]:
    """What a browser would send of the editor's form, places in order."""
    form = html[html.index('id="journey"') : html.index("save-bar")]
    found: list[tuple[str, str]] = []
    for part in re.finditer(
        r'<input[^>]*?name="([^"]+)"[^>]*?>|<textarea[^>]*?name="([^"]+)"[^>]*>(.*?)</textarea>|<select[^>]*?name="([^"]+)"[^>]*>(.*?)</select>',
        form, re.DOTALL,
    ):  # fmt: skip
        if part[1]:
            value = re.search(r'value="([^"]*)"', part[0])
            found.append((part[1], unescape(value[1]) if value else ""))
        elif part[2]:
            found.append((part[2], unescape(part[3])))
        else:
            chosen = re.search(r'<option value="([^"]*)"[^>]*selected', part[5]) or re.search(
                r'<option value="([^"]*)"', part[5]
            )
            found.append((part[4], unescape(chosen[1]) if chosen else ""))
    return MultiDict(found)


async def send(browser: Browser, path: str, form: MultiDict[str]) -> Page:
    """The form with all its places, which are several of one name."""
    body = MultiDict([("csrf", browser.csrf), *(pair for pair in form.items() if pair[0] != "csrf")])
    async with browser.http.post(browser.root + path, data=body) as response:
        html = await response.text()
        return Page(response.status, html, response.url.path_qs, response.headers)


async def test_steps_are_added_moved_taken_out_and_saved(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    page = await owner.get("/shop/journeys/new")
    form = form_of(page.html)
    form["name"], form["1.words_vi"] = "Thử", "Chào {{ name }}"
    for do in ("add 0 - condition", "add 2 then task", "up 2"):
        form["do"] = do
        page = await send(owner, "/shop/journeys/shape", form)
        assert page.status == 200
        form = form_of(page.html)
    assert form.getall("at") == ["2 condition 0 -", "3 task 2 then", "1 message 0 -"]
    assert await written_of(console.store) == [0, 0, 0, 0, 0, 0]
    refused = await send(owner, "/shop/journeys", form)
    assert refused.status == 422
    assert "f-3.text-said" in refused.html
    form["3.text"] = "Gọi khách"
    assert (await send(owner, "/shop/journeys", form)).status == 200
    (made,) = await console.store.read(journeys.of_shop, console.shop)
    assert made.steps == [
        {
            "id": 2, "kind": "condition", "criteria": {"field": "orders_count", "op": ">=", "value": 2},
            "then": [{"id": 3, "kind": "task", "text": "Gọi khách"}], "else": [],
        },
        {"id": 1, "kind": "message", "messages": {"vi": "Chào {{ name }}"}, "purpose": "care"},
    ]  # fmt: skip
    form["do"] = "remove 2"
    page = await send(owner, "/shop/journeys/shape", form)
    assert form_of(page.html).getall("at") == ["1 message 0 -"]
    assert (await owner.post(f"/shop/journeys/{made.id}/on")).status == 200
    assert (await console.store.read(journeys.get, made.id)).on
    flow = await send(owner, "/shop/journeys/flow", form)
    assert "Gọi khách" in flow.text
    await owner.post(f"/shop/journeys/{made.id}/remove")
    assert await console.store.read(journeys.of_shop, console.shop) == []


async def test_a_message_carries_pictures(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    form = form_of((await owner.get("/shop/journeys/new")).html)
    form["name"], form["1.words_vi"] = "Thử", "Chào"
    for color in ("red", "blue"):
        body = aiohttp.FormData([(name, value) for name, value in form.items() if name != "1.upload"])
        body.add_field("1.upload", png(color), filename="a.png", content_type="image/png")
        headers = {"X-CSRF-Token": owner.csrf, "HX-Request": "true"}
        async with owner.http.post(owner.root + "/shop/journeys/shape", data=body, headers=headers) as answer:
            assert answer.status == 200
            form["1.pictures"] = re.findall(r'name="1.pictures" value="([^"]*)"', await answer.text())[0]
    first, second = form["1.pictures"].split()
    async with owner.http.get(f"{owner.root}/shop/journeys/pictures/{second}") as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
    wrong = form.copy()
    wrong["1.pictures"] = "0" * 64
    refused = await send(owner, "/shop/journeys", wrong)
    assert (refused.status, 'id="f-1.pictures-said"' in refused.html) == (422, True)
    form["do"] = "drop 1 0"
    form = form_of((await send(owner, "/shop/journeys/shape", form)).html)
    assert (await send(owner, "/shop/journeys", form)).status == 200
    (made,) = await console.store.read(journeys.of_shop, console.shop)
    assert made.steps[0]["pictures"] == [second] != [first]


def png(color: str) -> bytes:
    content = BytesIO()
    Image.new("RGB", (8, 6), color).save(content, "PNG")
    return content.getvalue()


async def test_what_is_wrong_is_said_at_its_field(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    blank = form_of((await owner.get("/shop/journeys/new")).html)
    blank["name"], blank["1.words_vi"] = "Thử", "Chào"
    wrong: list[tuple[dict[str, str], str]] = [
        ({"name": ""}, "name"), ({"1.words_vi": "{{ x }}"}, "1.words_vi"), ({"1.words_vi": ""}, "1.words_vi"),
        ({"trigger": "birthday", "number": "x"}, "number"), ({"trigger": "date", "on": "x"}, "on"),
        ({"ask": "orders_least", "n": ""}, "n"), ({"trigger": "segment_entered", "segment": "99"}, "segment"),
        ({"ask": "segment:99"}, "ask"),
    ]  # fmt: skip
    for change, field in wrong:
        form = blank.copy()
        for name, value in change.items():
            form[name] = value
        page = await send(owner, "/shop/journeys", form)
        assert page.status == 422, change
        assert f'id="f-{field}-said"' in page.html, change


async def test_another_shops_journeys_are_not_there(console: Console) -> None:
    mine = await journey(console.store, console.shop, {"kind": "joined"}, say())
    stranger = await console.as_(Role.OWNER, await second(console))
    for path in (f"/shop/journeys/{mine}", f"/shop/journeys/{mine}/people"):
        assert (await stranger.get(path)).status == 404
    for path in (f"/shop/journeys/{mine}", f"/shop/journeys/{mine}/off", f"/shop/journeys/{mine}/remove"):
        assert (await stranger.post(path)).status == 404
    assert (await console.store.read(journeys.get, mine)).on


async def test_a_task_stands_on_today_until_it_is_done(console: Console, clock: SetClock) -> None:
    store, owner = console.store, await console.as_(Role.OWNER)
    lan = await person(store)
    number = await journey(
        store,
        console.shop,
        {"kind": "order_completed"},
        {"kind": "task", "text": "Gọi <b>"},
        {"kind": "wait", "days": 1},
    )
    await order(store, console.shop, "HD-1", lan)
    await tick(store)
    await tick(store)
    assert "1 task from your journeys" in (await owner.get("/shop")).text
    page = await owner.get("/shop/journeys/tasks")
    assert "Gọi &lt;b&gt;" in page.html
    (one,) = await store.read(tasks.of_shop, console.shop)
    stranger = await console.as_(Role.OWNER, await second(console))
    assert (await stranger.post(f"/shop/journeys/tasks/{one.id}/done")).status == 404
    assert (await owner.post(f"/shop/journeys/tasks/{one.id}/done")).status == 200
    assert await store.read(tasks.waiting, console.shop) == 0
    assert "task from your journeys" not in (await owner.get("/shop")).text
    people = await owner.get(f"/shop/journeys/{number}/people?state=active")
    assert "Lan" in people.text
    await owner.post(f"/shop/journeys/tasks/{one.id}/open")
    assert await store.read(tasks.waiting, console.shop) == 1


async def test_what_was_sent_stands_on_the_customers_page(console: Console) -> None:
    store, owner = console.store, await console.as_(Role.OWNER)
    lan = await person(store)
    number = await journey(store, console.shop, {"kind": "order_completed"}, say(), say())
    await order(store, console.shop, "HD-1", lan)
    await tick(store)
    await store.write(raw, "UPDATE deliveries SET state = 'sent', left_at = due_at WHERE step = 1")
    page = await owner.get(f"/shop/customers/{lan}?show=messages")
    assert page.text.count("Journey “Thử”") == 1
    editor = await owner.get(f"/shop/journeys/{number}")
    assert "1 sent" in editor.text
    stranger = await console.as_(Role.OWNER, await second(console))
    assert "Thử" not in (await stranger.get(f"/shop/customers/{lan}?show=messages")).text


async def test_what_could_not_be_done_stands_where_people_stand_and_in_their_story(console: Console) -> None:
    store, owner = console.store, await console.as_(Role.OWNER)
    lan, mai = await person(store), await person(store)
    program = await store.write(
        voucher_programs.add, name="Trà", kind=Kind.GIFT, stock=1, hidden=True, shop_id=console.shop
    )
    number = await journey(
        store, console.shop, {"kind": "order_completed"}, {"kind": "voucher", "program": program.id}, say("Quà đây"),
        {"kind": "task", "text": "Gọi khách"},
    )  # fmt: skip
    for nth, who in enumerate((lan, mai)):
        await order(store, console.shop, f"HD-{nth}", who)
        await tick(store)
    page = await owner.get(f"/shop/journeys/{number}/people")
    of_mai, of_lan = page.html.split("/shop/customers/")[-2:]
    for told in ("No voucher given: it was sold out", "A message not sent: there was no voucher to tell of"):
        assert (told in of_mai, told in of_lan) == (True, False)
    story = (await owner.get(f"/shop/customers/{mai}?show=events")).text
    assert "No voucher given: it was sold out" in story
    assert "Task for the team: Gọi khách" in story
    assert story.count("Journey “Thử”") == 2


async def test_a_dry_run_counts_what_was_and_writes_nothing(console: Console, clock: SetClock) -> None:
    store, owner = console.store, await console.as_(Role.OWNER)
    people = [await person(store, birthday=date(1990, 11, 1)), await person(store), await person(store)]
    for who, ago in ((0, 100), (0, 60), (0, 10), (1, 50), (1, 45), (2, 5)):
        await order(store, console.shop, f"HD-{who}-{ago}", people[who], clock.now() - timedelta(days=ago))
    before = await written_of(store)

    async def tried(trigger: Any, listed: Any = None, who: Any = None) -> tuple[int, int]:
        found = await store.read(dry_run.look, console.shop, trigger, who, listed or [{"kind": "tag", "tag": "x"}])
        return found.begun, found.people

    assert await tried({"kind": "first_order"}) == (2, 2)
    assert await tried({"kind": "second_order"}) == (2, 2)
    # 100→60 was over 60 days ago, 60→10 ten days ago, and who bought 45 days ago hasn't come since.
    assert await tried({"kind": "no_order", "days": 40}) == (3, 2)
    assert await tried({"kind": "birthday", "days_before": 0}) == (1, 1)
    assert await tried(
        {"kind": "birthday", "days_before": 0}, who={"field": "orders_count", "op": ">", "value": 3}
    ) == (0, 0)
    assert (await store.read(dry_run.look, console.shop, {"kind": "first_order"}, None, [say()])).reached == 0
    with pytest.raises(InvalidError):
        await tried({"kind": "segment_entered", "segment": 99})
    form = form_of((await owner.get("/shop/journeys/new")).html)
    form["1.words_vi"] = "Chào"
    page = await send(owner, "/shop/journeys/trial", form)
    assert "6 beginnings" in page.text
    assert await written_of(store) == before


async def test_who_comes_into_a_segment_begins_and_who_was_in_it_does_not(
    store: Store, shop: int, clock: SetClock
) -> None:
    lan, mai = await person(store), await person(store)
    await order(store, shop, "HD-1", lan)
    asked = {"field": "orders_count", "op": ">=", "value": 1}
    segment = await store.write(saved.add, shop, "Đã mua", asked, saved.Policy(), WHO)
    await journey(store, shop, {"kind": "segment_entered", "segment": segment.id}, say())
    for _ in range(2):
        clock.advance(timedelta(days=1))
        await tick(store)
    assert await planned(store) == []
    await order(store, shop, "HD-2", mai)
    for _ in range(3):
        clock.advance(timedelta(days=1))
        await tick(store)
    assert [who for who, *_ in await planned(store)] == [mai]
    with pytest.raises(InvalidError):
        await journey(store, shop, {"kind": "segment_entered", "segment": 999}, say())


async def test_a_merge_takes_runs_along_and_forgetting_ends_them(store: Store, shop: int, clock: SetClock) -> None:
    old, new = await person(store), await person(store)
    number = await journey(
        store, shop, {"kind": "first_order"}, {"kind": "task", "text": "Gọi"}, {"kind": "wait", "days": 3}, say(),
        {"kind": "webhook", "name": "xong"},
    )  # fmt: skip
    await order(store, shop, "HD-1", old)
    await tick(store)
    await store.write(claims.merge, new, old)
    (task,) = await store.read(tasks.of_shop, shop)
    assert task.customer_id == new
    clock.advance(timedelta(days=3))
    await tick(store)
    assert [(who, step) for who, step, *_ in await planned(store)] == [(new, 3)]
    copy = await store.read(privacy.export, new)
    assert [(one["journey"], one["state"]) for one in copy["journeys"]] == [("Thử", "done")]
    kinds = await store.read(lambda session: session.execute(select(events.events.c.kind)).scalars().all())
    assert "journey_reached" in kinds
    await store.write(privacy.erase, new, WHO)
    assert await store.read(standings.people, number) == []
    assert await store.read(tasks.of_shop, shop) == []


async def test_missed_days_are_begun_as_of_their_own_morning(store: Store, shop: int, clock: SetClock) -> None:
    who = await person(store, birthday=date(1990, 11, 24))
    await journey(store, shop, {"kind": "birthday", "days_before": 0}, say())
    clock.advance(timedelta(days=5))
    await tick(store)
    assert await planned(store) == [(who, 1, "2026", "2026-11-24 08:00")]
    with pytest.raises(NotFoundError):
        await store.write(ready.adopt, shop, "moon", WHO)
    await _to_the_end(store, beginnings.calendar_due)
    assert len(await planned(store)) == 1


def test_the_same_miss_is_said_once_with_how_often() -> None:
    assert said.told_once(["Bị chặn", "Hết quà", "Bị chặn", "Bị chặn"]) == ["Bị chặn (×3)", "Hết quà"]
