"""The team's group as such: its budget, its moves, being bound late, many shops, a crash, and PostgreSQL."""

import asyncio
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.app import App
from bot.attaching import files_for
from bot.messengers.telegram import Telegram
from bot.queues import Queues
from loyalty import programme
from loyalty.customers import customers
from store import forum, leases, options
from store.clock import SetClock, SystemClock
from store.engine import Store, open_store
from store.media import File
from store.outbox import Call, Purpose
from store.staff import Role
from support import messages, tickets
from tests.chatting import give_points, quiet, settled_person
from tests.conftest import NOON
from tests.processes import process, watched_api
from tests.running import Running, running
from tests.test_forum import FORUM, Scene

NUMBERS = itertools.count(1)


# ── The budget ─────────────────────────────────────────────────────────────────────────────────────


def _queues() -> Queues:
    return Queues(Telegram("42:TEST", "http://nowhere", 30), SetClock(NOON))


def _row(chat: int = FORUM, purpose: Purpose = Purpose.SERVICE, method: str = "sendMessage") -> Call:
    return Call(next(NUMBERS), "telegram:42", chat, method, "{}", int(purpose))


def _leave(queues: Queues, now: float) -> list[Call]:
    """What leaves at a moment, each answered at once."""
    left = []
    while picked := queues.pick(now, 64):
        for call in picked:
            queues.left(call, now)
            queues.landed(call, now)
            queues.done(call)
        left += picked
    return left


def test_a_group_gets_18_calls_a_minute_whatever_they_are_and_people_theirs() -> None:
    queues = _queues()
    for method in ("sendMessage", "editForumTopic", "setMessageReaction", "sendPhoto") * 6:
        queues.add(_row(method=method))
    mine = [_row(chat) for chat in range(1, 20)]
    for call in mine:
        queues.add(call)
    assert Counter(call.chat == FORUM for call in [*_leave(queues, 100.0), *_leave(queues, 101.2)]) == {
        True: 18,
        False: 19,
    }
    assert _leave(queues, 159.9) == []
    assert queues.next_time(102.0) <= 1.0
    assert len(_leave(queues, 161.3)) == 6
    for _ in range(20):
        queues.add(_row(purpose=Purpose.REPLY))
    assert len(_leave(queues, 161.4)) == 12, "an answer there counts like anything else"


def test_what_is_cosmetic_waits_first_and_leaves_room_for_what_was_said() -> None:
    queues = _queues()
    for _ in range(30):
        queues.add(_row(purpose=Purpose.CARE, method="editMessageText"))
    assert len(_leave(queues, 0.0)) == 12
    for _ in range(9):
        queues.add(_row())
    assert [call.purpose for call in _leave(queues, 1.0)] == [Purpose.SERVICE] * 6


def test_after_a_429_a_group_goes_slower_for_a_while_and_pauses_nobody_else() -> None:
    queues = _queues()
    first, other = _row(), _row(7)
    queues.limit(first, 0.0, 5.0)
    queues.limit(other, 0.0, 5.0)
    assert queues.paused_until == 0.0, "the group's limit and one chat's are not two chats'"
    for _ in range(40):
        queues.add(_row())
    assert len(_leave(queues, 10.0)) == 12
    queues = _queues()
    queues.limit(_row(), 0.0, 5.0)
    for _ in range(40):
        queues.add(_row())
    assert len(_leave(queues, 700.0)) == 18, "and comes back"


def test_who_takes_over_counts_what_left_in_the_last_minute() -> None:
    queues = _queues()
    queues.count([(FORUM, NOON)] * 18, 50.0)
    queues.add(_row())
    assert _leave(queues, 51.0) == []
    assert len(_leave(queues, 111.0)) == 1


async def test_many_changes_of_a_card_are_one_edit(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.mirror.SHOPS_LOOKS", 2)
    async with running(sqlite_url, webhook=True, telegram_staff_chat=FORUM, backup_dir="off") as shop:
        scene = await _scene(shop, FORUM)
        lan, ticket, thread = await scene.opened()
        await quiet(shop)
        before = len(shop.api.calls_of(chat=FORUM))
        for priority in ("high", "urgent", "low", "normal") * 5:
            await shop.store.write(_prioritise, ticket, scene, priority)
        await shop.store.write(_prioritise, ticket, scene, "urgent")
        await scene.there(thread, "🔥")
        await quiet(shop)
        assert len(shop.api.calls_of(chat=FORUM)) - before <= 4
        await give_points(shop, lan, 85)
        card = await scene.there(thread, "85 điểm")
        assert "85.000 ₫" in card["text"].replace("\N{NO-BREAK SPACE}", " "), (
            "an order changes the card, though no ticket changed"
        )
        assert shop.api.refused == []


def _prioritise(session: Any, ticket: int, scene: Scene, priority: str) -> None:
    from support import handling

    handling.prioritise(session, ticket, scene.minh, priority)


# ── The group moves ────────────────────────────────────────────────────────────────────────────────


async def _scene(shop: Running, chat: int) -> Scene:
    place = shop.api.forum("Đội Phố", id=chat) if chat < -(10**12) else shop.api.group("Đội Phố", id=chat)
    made = Scene(shop, place)
    made.minh, made.here = await made.hire("Minh Trần")
    return made


@pytest.mark.parametrize("way", ["told", "refused"])
async def test_a_group_that_becomes_a_supergroup_is_followed(
    sqlite_url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Topics make a group a supergroup with another number: by the update that says so, or by the next call's refusal."""
    monkeypatch.setattr("bot.topics.PAUSE_SECONDS", 0.3)
    async with running(sqlite_url, webhook=True, telegram_staff_chat=-4001, backup_dir="off") as shop:
        scene = await _scene(shop, -4001)
        old = scene.forum
        lan = await settled_person(shop, first_name="Lan")
        await lan.send("/support")
        await lan.wait_for(lambda m: "reply_markup" in m)
        await lan.send("trước khi chuyển")
        await lan.wait_for(lambda m: "#" in m["text"])
        if way == "refused":
            shop.api.world.updates.allowed = [kind for kind in shop.api.world.updates.allowed if kind != "message"]
        moved = await old.migrate(scene.here)
        moved.chat.is_forum = True
        scene.forum = moved
        if way == "refused":
            shop.api.world.updates.allowed.append("message")
        thread = await scene.topic(await scene.ticket_of(lan))
        await scene.there(thread, lambda m: m["text"] == "trước khi chuyển")
        await scene.type(thread, "em nghe đây")
        await lan.wait_for(lambda m: m["text"] == "em nghe đây")
        kept = await shop.store.read(options.get, options.FORUM)
        assert kept is not None
        assert kept["chat_id"] == moved.id
        await shop.store.write(forum.follow_setting, shop.app.telegram.account, -4001)
        assert (await shop.store.read(forum.chosen)).chat == moved.id, "the setting's old number doesn't lead back"
        assert [m["text"] for m in moved.inbox if m.get("text") == "trước khi chuyển"] == ["trước khi chuyển"]
        shop.api.refused.clear()


async def test_bound_late_it_shows_what_is_open_and_what_was_said(sqlite_url: str) -> None:
    async with running(sqlite_url, webhook=True, backup_dir="off") as shop:
        scene = await _scene(shop, FORUM)
        second = await shop.store.write(programme.open_shop, "Phố Chợ", timezone="Asia/Ho_Chi_Minh", language="vi")
        customer = await shop.store.write(customers.create, name="Nguyễn Lan", language="vi")
        opened = await shop.store.write(tickets.open_or_join, customer, second)
        for number in range(9):
            source = messages.Source("web", 1, number + 1)
            await shop.store.write(
                messages.customer_says, opened.ticket.id, text="", location={"lat": number, "lon": 0}, source=source
            )
        owner, there = await scene.hire("Hà", Role.OWNER, None)
        await shop.store.write(
            lambda s: s.execute(sa.text("UPDATE staff_roles SET shop_id = NULL WHERE staff_id = :id"), {"id": owner.id})
        )
        await there.send("/forum", in_=scene.forum)
        thread = await scene.topic(opened.ticket.id)
        name = next(topic.name for topic in scene.forum.topics if topic.id == thread)
        assert name.startswith("Phố Chợ · #")
        summed = await scene.there(thread, "Trước đó")
        assert summed["text"].count("📍") == 4
        await scene.there(thread, lambda m: m["location"]["latitude"] == 8)
        await quiet(shop)
        assert len(shop.api.calls_of(chat=FORUM)) <= 10
        assert shop.api.refused == []


# ── A crash, two databases ─────────────────────────────────────────────────────────────────────────


async def test_whoever_dies_with_calls_in_flight_leaves_nothing_unsaid(sqlite_url: str) -> None:
    """As after `kill -9`: the worker's tasks end where they stand, another one takes over."""
    async with running(sqlite_url, webhook=True, telegram_staff_chat=FORUM, backup_dir="off") as shop:
        scene = await _scene(shop, FORUM)
        lan, _, thread = await scene.opened()
        await quiet(shop)
        shop.api.fault("sendMessage", FORUM, kind="hang", seconds=30)
        await lan.send("gửi lúc sập")
        await scene.there(thread, lambda m: m["text"] == "gửi lúc sập")
        await shop.app.nursery.stop()
        await shop.store.write(leases.let_go_all)
        heir = App(shop.settings, shop.store)
        await heir.start("worker")
        try:
            await scene.there(thread, lambda m: "↻" in m["text"] and "gửi lúc sập" in m["text"])
            await lan.send("và sau đó")
            await scene.there(thread, lambda m: m["text"] == "và sau đó")
            assert [m["text"] for m in scene.forum.in_thread(thread)][1:].count("gửi lúc sập") == 1
        finally:
            await heir.stop()


@pytest.mark.torture
async def test_killed_in_the_middle_nothing_is_missing_from_the_topics(sqlite_url: str, tmp_path: Path) -> None:
    store = open_store(sqlite_url, SystemClock())
    await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    async with watched_api() as api:
        one = process("one", tmp_path, sqlite_url, api, webhook=True)
        one.environment["REGULARS_TELEGRAM_STAFF_CHAT"] = str(FORUM)
        group = api.forum("Đội Phố", id=FORUM)
        await one.start()
        await api.wait_calls(1, method="setWebhook", timeout=30)
        api.fault("sendMessage", FORUM, times=None, kind="slow", seconds=0.2)
        people = [api.user(first_name=f"Khách {number}") for number in range(3)]
        for person in people:
            await person.send("/support")
            await person.send(f"lời của {person.id}")
        await api.world.until(lambda: (api.unanswered and group.inbox) or None, 30, "nothing is on its way")
        await one.kill()
        api.world.faults.clear()
        await one.start()
        for person in people:
            await group.wait_for(lambda m, p=person: f"lời của {p.id}" in m["text"] and "#" not in m["text"], 40)
        await one.stop()
        for person in people:
            plain = [m for m in group.inbox if m.get("text") == f"lời của {person.id}"]
            marked = [m for m in group.inbox if "↻" in m.get("text", "") and f"lời của {person.id}" in m["text"]]
            assert len(plain) <= 1
            assert len(plain) + len(marked) >= 1
            homes = {m["message_thread_id"] for m in [*plain, *marked]}
            assert len(homes) == 1
    await store.close()


async def test_a_forum_on_postgres(postgres_url: str) -> None:
    async with running(postgres_url, webhook=True, telegram_staff_chat=FORUM, backup_dir="off") as shop:
        scene = await _scene(shop, FORUM)
        lan, ticket, thread = await scene.opened()
        await scene.type(thread, "dạ em đây")
        await lan.wait_for(lambda m: m["text"] == "dạ em đây")
        await scene.forum.delete_topic(thread)
        await lan.send("còn đó không")
        fresh = await scene.topic(ticket)
        await scene.there(fresh, lambda m: m["text"] == "còn đó không")
        await lan.send_album([b"jpeg1", b"jpeg2"])
        await scene.there(fresh, lambda m: m["media_group_id"])
        await scene.type(fresh, "/close")
        await shop.api.world.until(lambda: scene.forum.chat.topics[fresh].closed or None, 20, "the topic is open")


async def test_a_file_too_large_to_fetch_goes_by_its_name_or_is_said_to_be_missing(store: Store) -> None:
    from store import media

    big = File("document", "video/mp4", size=30 * 1024 * 1024, account="telegram:42", file_id="f1")
    round_one = File("video", "video/mp4", size=30 * 1024 * 1024, account="telegram:42", file_id="f2")
    small = File("video", "video/mp4", size=1024, account="telegram:42", file_id="f3")
    rows = []
    for file in (big, round_one, small):
        number = await store.write(media.attach, file)
        rows.append({"id": number, "kind": file.kind, "sha": None, "account": file.account, "file_id": file.file_id})
    assert (await store.read(files_for, "telegram:42", rows[:1]))[0]["known"] == "f1"
    assert await store.read(files_for, "web", rows[:1]) == "a file is too big"
    assert await store.read(files_for, "telegram:42", rows[1:2]) == "a file is too big"
    assert await store.read(files_for, "telegram:42", rows[2:]) is None, "it waits until it is fetched"


async def test_a_second_group_takes_over(sqlite_url: str) -> None:
    async with running(sqlite_url, webhook=True, telegram_staff_chat=FORUM, backup_dir="off") as shop:
        scene = await _scene(shop, FORUM)
        lan, ticket, thread = await scene.opened()
        await quiet(shop)
        other = shop.api.forum("Đội mới", id=FORUM - 1)
        account = shop.app.telegram.account
        await shop.store.write(forum.choose, {"account": account, "chat_id": other.id, "title": "", "staff_id": None})
        await scene.type(thread, "ở nhóm cũ")
        await lan.send("sang nhóm mới")
        line = await other.wait_for(lambda m: m["text"] == "sang nhóm mới", timeout=20)
        assert other.chat.topics[line["message_thread_id"]].name.startswith(f"#{ticket} ")
        await asyncio.sleep(0)
        assert "ở nhóm cũ" not in lan.texts
