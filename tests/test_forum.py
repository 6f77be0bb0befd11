"""The team's forum over the Bot API: each ticket is a topic; both desks and the customer see what the others say."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from loyalty.points import points
from loyalty.vouchers import voucher_programs
from store import forum as topics
from store import media, staff
from store.audit import AuditRow
from store.media import File
from store.staff import Member, Role
from support import changes, handling, messages, privacy, tickets
from support.answers import macros
from support.routing import presence, teams
from tests.botapi.groups import Group
from tests.botapi.people import Person, buttons_of
from tests.chatting import customer_of, quiet, settled_person, thread_of, visiting
from tests.running import Running, running
from tests.test_chat_help import png

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORUM = -1001234567890
Json = dict[str, Any]


class Scene:
    """A shop whose team sits in a forum: a bound colleague there, and people who write to the shop."""

    def __init__(self, shop: Running, forum: Group) -> None:
        self.shop = shop
        self.forum = forum
        self.minh: Member
        self.here: Person

    async def hire(self, name: str, role: Role = Role.AGENT, shop_id: int | None = None) -> tuple[Member, Person]:
        """A member of staff whose Telegram account is bound, in the group."""
        store = self.shop.store
        number = await store.write(staff.add, name, role, shop_id or self.shop.shop_id)
        there = self.shop.api.user(first_name=name.split(maxsplit=1)[0])
        token = await store.write(staff.make_link, number, "bind")
        await store.write(staff.bind, self.shop.app.telegram.account, there.id, token)
        self.forum.add(there)
        return await store.read(staff.get, number), there

    async def opened(self, text: str = "ly bị vỡ rồi") -> tuple[Person, int, int]:
        """Somebody new opens a ticket on Telegram: they, its number and its topic."""
        lan = await settled_person(self.shop, first_name="Lan")
        await lan.send("/support")
        await lan.wait_for(lambda m: "reply_markup" in m)
        await lan.send(text)
        await lan.wait_for(lambda m: "#" in m["text"])
        ticket = await self.ticket_of(lan)
        thread = await self.topic(ticket)
        await self.there(thread, lambda m: m["text"] == text)
        return lan, ticket, thread

    async def ticket_of(self, person: Person) -> int:
        found = await self.shop.store.read(tickets.tickets_of, (await customer_of(self.shop, person)).id)
        return found[0].id

    async def topic(self, ticket: int) -> int:
        """The ticket's topic, once it is there."""
        return (await self.forum.wait_topic(lambda topic: f"#{ticket} " in topic["name"])).id

    async def there(self, thread: int, wanted: str | Callable[[Json], Any], **more: Any) -> Json:
        """What the bot wrote in a topic."""
        meant = wanted if callable(wanted) else lambda m: wanted in m.get("text", m.get("caption", ""))
        return await self.forum.wait_for(meant, thread=thread, timeout=20, **more)

    async def type(self, thread: int, text: str, by: Person | None = None, **more: Any) -> Json:
        return await (by or self.here).send(text, in_=self.forum, thread=thread, **more)

    async def said(self, ticket: int) -> list[tuple[str, str]]:
        await self.shop.api.wait_delivered()
        return [(one.who, one.text) for one in await thread_of(self.shop, ticket, self.minh)]

    async def state(self, ticket: int) -> str:
        return (await self.shop.store.read(tickets.get, ticket)).state

    def texts(self, thread: int) -> list[str]:
        return [m.get("text", m.get("caption", "")) for m in self.forum.in_thread(thread)]

    def live(self, message: Json) -> Json:
        return self.forum.chat.messages[message["message_id"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    path = tmp_path_factory.mktemp("forum") / "regulars.db"
    shutil.copy(sqlite_template, path)
    url = f"sqlite+aiosqlite:///{path}"
    async with running(url, webhook=True, telegram_staff_chat=FORUM, backup_dir="off", rate=1000) as shop:
        shop.app.telegram.group_rate = 100_000  # the limit has tests of its own
        made = Scene(shop, shop.api.forum("Đội Phố", id=FORUM))
        made.minh, made.here = await made.hire("Minh Trần")
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(opened: Scene) -> AsyncIterator[Scene]:
    yield opened
    await quiet(opened.shop)
    # A second tap changes nothing, and Telegram says so.
    refused = [one for one in opened.shop.api.refused if "not modified" not in one.reason]
    opened.shop.api.refused.clear()
    assert refused == []
    dead = await opened.shop.store.read(
        lambda s: s.execute(sa.text("SELECT error FROM inbox WHERE state='dead'")).all()
    )
    assert dead == []


# ── What is said ───────────────────────────────────────────────────────────────────────────────────


async def test_a_ticket_is_a_topic_with_a_card_and_the_words_go_both_ways(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened("ly bị <vỡ> & đổ")
    card, line = scene.forum.in_thread(thread)[:2]
    assert f"#{ticket}" in card["text"]
    assert "Thành viên" in card["text"]
    assert "0 điểm" in card["text"]
    assert line["text"] == "ly bị <vỡ> & đổ"
    await scene.type(thread, "Dạ em <xin lỗi> chị")
    await lan.wait_for(lambda m: m["text"] == "Dạ em <xin lỗi> chị")
    await scene.type(thread, "/note khách quen")
    for number in range(6):
        await scene.type(thread, f"dòng {number}")
    await lan.wait_for(lambda m: m["text"] == "dòng 5")
    assert [text for text in lan.texts if text.startswith("dòng")] == [f"dòng {number}" for number in range(6)]
    assert "khách quen" not in str(lan.inbox)
    said = await scene.said(ticket)
    assert said[:3] == [("customer", "ly bị <vỡ> & đổ"), ("agent", "Dạ em <xin lỗi> chị"), ("note", "khách quen")]
    await quiet(scene.shop)
    assert not [text for text in scene.texts(thread) if "dòng" in text or "khách quen" in text], "said twice"
    # The card shows the customer to the group, and who wrote had it before them: each once in the audit.
    query = sa.select(AuditRow.actor, AuditRow.data).where(AuditRow.action == "customer_seen")
    looks = await scene.shop.store.read(lambda session: session.execute(query).all())
    customer = (await customer_of(scene.shop, lan)).id
    whom = {"customer": customer, "place": "forum"}
    assert sorted(actor for actor, data in looks if data == whom) == ["forum", f"staff:{scene.minh.id}"]


async def test_who_is_not_bound_anonymous_or_a_machine_is_ignored(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    stranger = scene.shop.api.user(first_name="Người lạ")
    scene.forum.add(stranger)
    await scene.type(thread, "tôi là ai", by=stranger)
    await scene.type(thread, "ẩn danh", anonymous=True)
    await scene.forum.join(scene.shop.api.user(first_name="Mới"))
    await scene.forum.close_topic(thread, scene.here)
    await scene.forum.close_topic(thread, scene.here, closed=False)
    await scene.here.send("ở ngoài chủ đề", in_=scene.forum)
    other = await scene.forum.create_topic("Chuyện phiếm", scene.here)
    await scene.type(other.id, "trưa nay ăn gì")
    robot = scene.shop.api.user(first_name="Máy")
    robot.about["is_bot"] = True
    await scene.type(thread, "tôi là máy", by=robot)
    await scene.type(thread, "/khongco lệnh này")
    await scene.forum.wait_for(lambda m: "lệnh" in m["text"], thread=thread)
    await scene.type(thread, "chào Lan")
    await lan.wait_for(lambda m: m["text"] == "chào Lan")
    assert await scene.said(ticket) == [("customer", "ly bị vỡ rồi"), ("agent", "chào Lan")]


async def test_a_message_from_telegram_twice_and_in_another_order_goes_out_once(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    scene.shop.api.fault(kind="redelivered")
    await scene.type(thread, "một lần thôi")
    await lan.wait_for(lambda m: m["text"] == "một lần thôi")
    scene.shop.api.fault(kind="redelivered")
    await lan.send("em cũng vậy")
    scene.shop.api.fault(kind="reordered")
    await scene.type(thread, "a")
    await scene.type(thread, "b")
    await lan.wait_for(lambda m: m["text"] in {"a", "b"})
    await scene.there(thread, "em cũng vậy")
    await quiet(scene.shop)
    assert lan.texts.count("một lần thôi") == 1
    assert scene.texts(thread).count("em cũng vậy") == 1
    assert sorted(text for text in lan.texts if text in {"a", "b"}) == ["a", "b"]
    assert len(await scene.said(ticket)) == 5


async def test_two_first_messages_at_once_are_one_ticket_and_one_topic(scene: Scene) -> None:
    lan = await settled_person(scene.shop, first_name="Hai")
    await lan.send("/support")
    await lan.wait_for(lambda m: "reply_markup" in m)
    await asyncio.gather(lan.send("câu thứ nhất"), lan.send("câu thứ hai"))
    await lan.wait_for(lambda m: "#" in m["text"])
    thread = await scene.topic(await scene.ticket_of(lan))
    await scene.there(thread, "câu thứ hai")
    await quiet(scene.shop)
    assert "\n".join(scene.texts(thread)[1:]) == "câu thứ nhất\ncâu thứ hai"
    named = [topic.name for topic in scene.forum.topics if "Hai" in topic.name]
    assert len(named) == 1


# ── Pictures, albums, files, places ────────────────────────────────────────────────────────────────


async def test_what_a_customer_sends_stands_in_the_topic_without_being_fetched(scene: Scene) -> None:
    lan, _, thread = await scene.opened()
    photo = await lan.send_photo(png("red"), "nhìn này")
    got = await scene.there(thread, "nhìn này")
    assert got["photo"][-1]["file_id"] == photo["photo"][-1]["file_id"], "sent on by its name, no bytes moved"
    await lan.send_voice()
    await scene.there(thread, lambda m: "voice" in m)
    await lan.send_document(b"%PDF", "hoadon.pdf")
    await scene.there(thread, lambda m: m["document"]["file_name"] == "hoadon.pdf")
    await lan.send_video()
    await scene.there(thread, lambda m: "video" in m)
    await lan.send_location()
    await scene.there(thread, lambda m: abs(m["location"]["latitude"] - 10.7769) < 1e-6)
    long = "rất dài " * 250
    await lan.send_photo(png("blue"), long)
    await scene.there(thread, lambda m: m["text"] == long.strip())


async def test_albums_stay_together_both_ways(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    await lan.send_album([png("red"), (png("blue"), "hai tấm"), png("green")])
    await scene.there(thread, "hai tấm")
    album = [m for m in scene.forum.in_thread(thread) if "photo" in m]
    assert len(album) == 3
    assert len({m["media_group_id"] for m in album}) == 1
    before = len(lan.inbox)
    await scene.here.send_album([(png("red"), "đổi cho chị"), png("blue")], in_=scene.forum, thread=thread)
    await lan.wait_for(lambda m: m["caption"] == "đổi cho chị")
    await quiet(scene.shop)
    got = lan.inbox[before:]
    assert len(got) == 2
    assert len({m["media_group_id"] for m in got}) == 1
    assert (await scene.said(ticket))[-1] == ("agent", "đổi cho chị"), "one answer"


async def test_a_colleagues_file_reaches_a_customer_on_the_web_chat(scene: Scene) -> None:
    async with visiting(scene.shop) as visitor:
        await visitor.say("/support")
        await visitor.say("web đây")
        customer = await visitor.customer()
        ticket = (await scene.shop.store.read(tickets.tickets_of, customer.id))[0].id
        thread = await scene.topic(ticket)
        await scene.there(thread, lambda m: m["text"] == "web đây")
        await visitor.post_files(("ly.png", png("red"), "image/png"), caption="ảnh từ web")
        await scene.there(thread, lambda m: m["caption"] == "ảnh từ web" and m["photo"])
        await scene.here.send_photo(png("green"), "ảnh của Minh", in_=scene.forum, thread=thread)
        async with asyncio.timeout(20):
            while not any(b["text"] == "ảnh của Minh" and b["media"] for b in visitor.shown):
                await asyncio.sleep(0.05)


# ── Replies, edits, reactions ──────────────────────────────────────────────────────────────────────


async def test_replies_are_quoted_on_both_sides(scene: Scene) -> None:
    lan, _, thread = await scene.opened("cái nào ạ")
    line = next(m for m in scene.forum.in_thread(thread) if m["text"] == "cái nào ạ")
    await quiet(scene.shop)
    await scene.type(thread, "cái này", reply_to=line)
    got = await lan.wait_for(lambda m: m["text"] == "cái này")
    assert got["reply_to_message"]["text"] == "cái nào ạ"
    await lan.send("vâng đúng cái đó", reply_to=got)
    back = await scene.there(thread, "vâng đúng cái đó")
    assert back["reply_to_message"]["text"] == "cái này"


async def test_edits_and_reactions_cross_over(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    asked = await lan.send("giao luc 3h")
    line = await scene.there(thread, "giao luc 3h")
    await lan.edit(asked, "giao lúc 4h")
    await scene.there(thread, lambda m: "giao lúc 4h" in m["text"] and m["message_id"] == line["message_id"])
    typed = await scene.type(thread, "vang a")
    got = await lan.wait_for(lambda m: m["text"] == "vang a")
    await quiet(scene.shop)
    await scene.here.edit(typed, "vâng ạ")
    await lan.wait_for(lambda m: m["text"] == "vâng ạ" and m["message_id"] == got["message_id"])
    await lan.react(got, "❤")
    await scene.shop.api.world.until(
        lambda: scene.forum.chat.reactions.get(typed["message_id"]) == [{"type": "emoji", "emoji": "❤"}] or None,
        8,
        "heart",
    )
    await quiet(scene.shop)
    await scene.here.react(line, "👍")
    await scene.shop.api.world.until(
        lambda: lan.chat.reactions.get(asked["message_id"]) == [{"type": "emoji", "emoji": "👍"}] or None, 20, "thumb"
    )
    await quiet(scene.shop)
    assert line["message_id"] not in scene.forum.chat.reactions, "what a colleague put there is not put there again"
    assert (await scene.said(ticket))[1:] == [("customer", "giao lúc 4h"), ("agent", "vâng ạ")]


async def test_an_answer_is_taken_back_by_a_reply(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    typed = await scene.type(thread, "gửi nhầm rồi")
    await lan.wait_for(lambda m: m["text"] == "gửi nhầm rồi")
    await quiet(scene.shop)
    line = next(m for m in scene.forum.in_thread(thread) if m.get("text") == "ly bị vỡ rồi")
    for wrong in (await scene.type(thread, "/delete", reply_to=line), await scene.type(thread, "/delete")):
        await scene.there(thread, lambda m, n=wrong: m["reply_to_message"]["message_id"] == n["message_id"])
    assert "gửi nhầm rồi" in lan.texts
    await scene.type(thread, "/delete", reply_to=typed)
    await scene.there(thread, lambda m: m["text"] == "Đã thu hồi tin phía khách.")
    await quiet(scene.shop)
    assert "gửi nhầm rồi" not in lan.texts
    assert ("agent", "gửi nhầm rồi") in await scene.said(ticket), "colleagues still read it"


# ── The two desks ──────────────────────────────────────────────────────────────────────────────────


async def test_what_is_said_at_the_web_desk_stands_in_the_topic_with_its_name(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    store = scene.shop.store
    ha, _ = await scene.hire("Hà Lê")
    answer = await store.write(messages.agent_says, ticket, ha, "<b>dạ</b> có ngay " + "dài " * 1000, key="web-00001")
    head = await scene.there(thread, "dạ")
    assert "Hà Lê" in head["text"]
    assert "<b>dạ</b>" in head["text"], "what somebody wrote is text, not markup"
    await quiet(scene.shop)
    assert "".join(scene.texts(thread)[2:]).count("dài") == 1000, "in two parts, nothing lost"
    await store.write(messages.note, ticket, ha, "nhớ gọi lại", key="web-00002")
    assert "Hà Lê" in (await scene.there(thread, "nhớ gọi lại"))["text"]
    await store.write(changes.agent_deletes, answer, ha)
    await scene.there(thread, "🗑")
    sha = await store.write(media.keep, png("pink"), "image/png", 60, 40)
    files = [File("photo", "image/png", name="a.png", sha=sha), File("photo", "image/png", name="b.png", sha=sha)]
    await store.write(messages.agent_says, ticket, ha, "hai ảnh", files, key="web-00003")
    await scene.there(thread, lambda m: "hai ảnh" in m["caption"])
    await lan.wait_for(lambda m: m["caption"] == "hai ảnh" and m["media_group_id"])


async def test_the_card_follows_and_solving_closes_the_topic(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    card = scene.forum.in_thread(thread)[0]
    await scene.here.tap(card, "Tôi nhận")
    await scene.there(thread, lambda m: m["message_id"] == card["message_id"] and "Minh Trần" in m["text"])
    await scene.type(thread, "xong rồi ạ")
    await scene.there(thread, lambda m: m["message_id"] == card["message_id"] and "Chờ khách" in m["text"])
    await scene.type(thread, "/close")
    await lan.wait_for(lambda m: "★" in str(buttons_of(m)))
    topic = scene.forum.chat.topics[thread]
    await scene.shop.api.world.until(lambda: topic.closed or None, 20, "the topic is not closed")
    assert await scene.state(ticket) == "resolved"
    await lan.send("vẫn chưa được")
    await scene.there(thread, "vẫn chưa được")
    await scene.shop.api.world.until(lambda: not topic.closed or None, 20, "the topic is not open again")
    await scene.shop.store.write(handling.resolve, ticket, scene.minh)
    await scene.shop.api.world.until(lambda: topic.closed or None, 20, "solved at the web desk")
    await scene.type(thread, "/open")
    await scene.shop.api.world.until(lambda: not topic.closed or None, 20, "open again")
    assert await scene.state(ticket) == "open"


async def test_a_delivery_that_failed_is_told_and_can_be_tried_again(scene: Scene) -> None:
    lan, _, thread = await scene.opened()
    await lan.block()
    typed = await scene.type(thread, "có ở đó không")
    told = await scene.there(thread, "⚠️")
    assert told["reply_to_message"]["message_id"] == typed["message_id"]
    await lan.unblock()
    await scene.shop.api.wait_delivered()
    await scene.here.tap(told, "Gửi lại")
    await lan.wait_for(lambda m: m["text"] == "có ở đó không", fresh=False)
    await scene.there(thread, lambda m: m["message_id"] == told["message_id"] and "✓" in m["text"])
    scene.shop.api.fault("sendMessage", lan.id, kind="cut")
    await scene.type(thread, "đến hay không")
    assert "⚠️" in (await scene.there(thread, lambda m: m["text"].startswith("⚠️") and m is not told))["text"]
    await quiet(scene.shop)
    assert lan.texts.count("đến hay không") == 1, "where nobody knows, nothing is sent again by itself"


# ── Commands ───────────────────────────────────────────────────────────────────────────────────────


async def test_hand_over_put_aside_and_help(scene: Scene) -> None:
    _, ticket, thread = await scene.opened()
    ha, _ = await scene.hire("Hà Phạm")
    await scene.type(thread, "/assign pham")
    await scene.there(thread, "Hà Phạm")
    assert (await scene.shop.store.read(tickets.get, ticket)).assignee_id == ha.id
    await scene.type(thread, "/assign")
    await scene.there(thread, lambda m: "reply_to_message" in m and "Ai nhận" in m["text"])
    await scene.type(thread, "/later 2d")
    await scene.there(thread, lambda m: "Để lại đến" in m["text"] and "reply_to_message" in m)
    assert await scene.state(ticket) == "snoozed"
    await scene.type(thread, "/later mùng mấy không biết")
    await scene.there(thread, "/later mai 9h")
    asked = await scene.type(thread, "/later")
    offered = await scene.there(thread, lambda m: m["reply_to_message"]["message_id"] == asked["message_id"])
    await scene.here.tap(offered, "4 giờ")
    await scene.there(thread, lambda m: m["message_id"] == offered["message_id"] and "Để lại đến" in m["text"])
    await scene.type(thread, "/help")
    await scene.there(thread, "/voucher")


async def test_here_and_away_are_said_in_the_forum(scene: Scene) -> None:
    store, shop = scene.shop.store, scene.shop.shop_id
    _, ticket, thread = await scene.opened()
    # Somebody with no request yet: whoever has as many as they may take is given no more.
    fresh, account = await scene.hire("Tâm Lê")
    await scene.type(thread, "/here", by=account)
    await scene.there(thread, "Chưa có đội nào")
    boss, _ = await scene.hire("Chủ Quán", Role.OWNER)
    team = await store.write(teams.save, boss, shop, None, name="Quầy", everyone=False, listed=[fresh.id])
    await scene.type(thread, "/here", by=account)
    await scene.there(thread, "4 giờ tới")
    assert await store.read(presence.status, fresh.id) == "here"
    # What had waited since before there was a team is theirs with the clock's next turn.
    async with asyncio.timeout(20), store.hub.listen(f"ticket:{ticket}") as heard:
        while (await store.read(tickets.get, ticket)).assignee_id != fresh.id:
            await heard.wait()
            heard.clear()
    await scene.type(thread, "/away", by=account)
    await scene.there(thread, "không nhận yêu cầu mới")
    assert await store.read(presence.status, fresh.id) == "away"
    await store.write(teams.remove, boss, shop, team)


async def test_points_and_vouchers_make_good_within_limits(scene: Scene) -> None:
    lan, _, thread = await scene.opened()
    store = scene.shop.store
    customer = (await customer_of(scene.shop, lan)).id
    await scene.type(thread, "/points 100 giao trễ")
    await scene.there(thread, "100 điểm")
    await lan.wait_for(lambda m: "100" in m["text"])
    assert (await store.read(points.balances, customer))[0] == 100
    asked = await scene.type(thread, "/points")
    offered = await scene.there(thread, lambda m: m["reply_to_message"]["message_id"] == asked["message_id"])
    await asyncio.gather(scene.here.tap(offered, "+50"), scene.here.tap(offered, "+50"))
    await scene.there(
        thread, lambda m: (m["message_id"] == offered["message_id"] and not buttons_of(m)) or "nữa" in m["text"]
    )
    assert (await store.read(points.balances, customer))[0] == 150, "a double tap gives once"
    await scene.type(thread, "/points nhiều lên")
    await scene.there(thread, "/points 100")
    await store.write(
        voucher_programs.add, name="Trà miễn phí", kind="amount", value=20_000, shop_id=scene.shop.shop_id
    )
    asked = await scene.type(thread, "/voucher trà")
    offered = await scene.there(thread, lambda m: m["reply_to_message"]["message_id"] == asked["message_id"])
    await scene.here.tap(offered, "Trà miễn phí")
    await lan.wait_for(lambda m: "Trà miễn phí" in m["text"])


async def test_a_macro_is_looked_at_and_then_said(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    draft = macros.Draft(
        name="Xin lỗi giao trễ",
        texts={"vi": "Dạ em xin lỗi {name} về yêu cầu {ticket}"},
        actions=(macros.Action(macros.Do.PRIORITY, "high"),),
        seen_by=macros.For.OWN,
    )
    await scene.shop.store.write(macros.create, scene.shop.shop_id, draft, scene.minh)
    asked = await scene.type(thread, "/macro xin loi")
    seen = await scene.there(thread, lambda m: m["reply_to_message"]["message_id"] == asked["message_id"])
    assert f"#{ticket}" in seen["text"]
    assert not [text for text in lan.texts if "về yêu cầu" in text], "only looked at"
    await asyncio.gather(scene.here.tap(seen, "Gửi"), scene.here.tap(seen, "Gửi"))
    await lan.wait_for(lambda m: f"về yêu cầu #{ticket}" in m["text"])
    await quiet(scene.shop)
    assert (await scene.shop.store.read(tickets.get, ticket)).priority == "high"
    assert len([text for text in lan.texts if "về yêu cầu" in text]) == 1, "a double tap says it once"


async def test_two_colleagues_in_two_topics_and_one_at_the_web_desk_at_once(scene: Scene) -> None:
    (lan, first, one), (mai, second, two) = await asyncio.gather(scene.opened("của Lan"), scene.opened("của Mai"))
    ha, ha_there = await scene.hire("Hà Võ")
    store = scene.shop.store
    for number in range(3):
        await asyncio.gather(
            scene.type(one, f"cho Lan {number}"), scene.type(two, f"cho Mai {number}", by=ha_there),
            store.write(messages.agent_says, first, ha, f"web {number}", key=f"web-x-{number}"),
        )  # fmt: skip
    await lan.wait_for(lambda m: m["text"] == "cho Lan 2")
    await mai.wait_for(lambda m: m["text"] == "cho Mai 2")
    await quiet(scene.shop)
    assert [text for text in lan.texts if text.startswith("cho")] == [f"cho Lan {number}" for number in range(3)]
    assert [text for text in mai.texts if text.startswith("cho")] == [f"cho Mai {number}" for number in range(3)]
    assert len([text for text in lan.texts if text.startswith("web")]) == 3
    assert (await store.read(tickets.get, second)).assignee_id == ha.id


async def test_in_a_closed_request_nothing_goes_out_and_the_way_on_is_said(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    await scene.shop.store.write(handling.close, ticket, scene.minh)
    await scene.type(thread, "còn nghe không")
    await scene.there(thread, "/open")
    await scene.type(thread, "/open")
    await scene.there(thread, lambda m: m["text"] == "Đã mở lại.")
    await scene.type(thread, "lại đây rồi")
    await lan.wait_for(lambda m: m["text"] == "lại đây rồi")
    assert "còn nghe không" not in lan.texts


async def test_who_has_no_rights_at_the_shop_is_refused_in_words(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    _, cashier = await scene.hire("Thu Ngân", Role.CASHIER)
    for text in ("chào chị", "/close", "/points 5 thử", "/assign", "/note x", "/later 2d", "/voucher", "/macro"):
        typed = await scene.type(thread, text, by=cashier)
        told = await scene.there(thread, lambda m, n=typed: m["reply_to_message"]["message_id"] == n["message_id"])
        assert "quyền" in told["text"], text
    tap = await cashier.tap(scene.forum.in_thread(thread)[0], "Tôi nhận")
    assert "quyền" in tap.answer["text"]
    assert await scene.said(ticket) == [("customer", "ly bị vỡ rồi")]
    assert await scene.state(ticket) == "new"
    assert "chào chị" not in lan.texts


# ── What goes wrong ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wording", ["message thread not found", "TOPIC_DELETED", "TOPIC_ID_INVALID"])
async def test_a_deleted_topic_is_made_again_with_what_was_said(scene: Scene, wording: str) -> None:
    lan, ticket, thread = await scene.opened(f"trước khi xoá {wording}")
    await scene.forum.delete_topic(thread)
    if wording != "message thread not found":
        scene.shop.api.fault("sendMessage", FORUM, kind="thread_not_found", text=wording)
    await lan.send("còn ai không")
    fresh = await scene.topic(ticket)
    assert fresh != thread
    await scene.there(fresh, lambda m: m["text"] == "còn ai không")
    card, before, line = scene.texts(fresh)[:3]
    assert f"#{ticket}" in card
    assert f"trước khi xoá {wording}" in before
    assert line == "còn ai không"
    await scene.type(fresh, "còn em đây")
    await lan.wait_for(lambda m: m["text"] == "còn em đây")
    assert len([t for t in scene.forum.topics if f"#{ticket} " in t.name]) == 1


async def test_a_topic_that_telegram_passes_over_is_made_again_and_general_stays_clean(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened()
    scene.shop.api.fault("sendMessage", FORUM, kind="thread_ignored")
    await lan.send("lạc đường")
    await scene.shop.api.world.until(
        lambda: [t for t in scene.forum.topics if f"#{ticket} " in t.name and t.id != thread] or None,
        20,
        "no new topic",
    )
    fresh = [t for t in scene.forum.topics if f"#{ticket} " in t.name][-1].id
    await scene.there(fresh, lambda m: m["text"] == "lạc đường")
    await quiet(scene.shop)
    assert scene.forum.in_thread(None) == []


async def test_a_message_of_which_nobody_knows_is_said_once_more_with_a_mark(scene: Scene) -> None:
    lan, _, thread = await scene.opened()
    scene.shop.api.fault("sendMessage", FORUM, kind="cut")
    await lan.send("đến chưa")
    again = await scene.there(thread, lambda m: "↻" in m["text"])
    assert "đến chưa" in again["text"]
    scene.shop.api.fault("createForumTopic", FORUM, kind="cut")
    mai = await settled_person(scene.shop, first_name="Mai")
    await mai.send("/support")
    await mai.wait_for(lambda m: "reply_markup" in m)
    await mai.send("người khác")
    line = await scene.forum.wait_for(lambda m: m["text"] == "người khác")
    await quiet(scene.shop)
    assert f"#{await scene.ticket_of(mai)} " in scene.forum.chat.topics[line["message_thread_id"]].name
    assert [m.get("text") for m in scene.forum.inbox].count("người khác") == 1


async def test_what_telegram_refuses_is_shown_in_words(scene: Scene) -> None:
    lan, _, thread = await scene.opened()
    scene.shop.api.fault("copyMessage", FORUM, kind="error", text="message to copy not found")
    await lan.send_video(caption="quay lại đây")
    await scene.there(thread, "quay lại đây")
    scene.shop.api.fault("sendPhoto", FORUM, kind="error", text="wrong file identifier")
    await lan.send_photo(png("red"), "chụp lại đây")
    await scene.there(thread, lambda m: "chụp lại đây" in m["text"])
    await scene.here._say({"poll": {"id": "1", "question": "?", "options": [], "total_voter_count": 0, "is_closed": False,
                                    "is_anonymous": True, "type": "regular", "allows_multiple_answers": False,
                                    "allows_revoting": False, "members_only": False}}, scene.forum, thread)  # fmt: skip
    await quiet(scene.shop)


async def test_a_429_is_obeyed_and_holds_up_no_customer(scene: Scene) -> None:
    lan, _, thread = await scene.opened()
    loop = asyncio.get_running_loop()
    scene.shop.api.fault("sendMessage", FORUM, kind="429", retry_after=3)
    await lan.send("bị chặn lại")
    await scene.shop.api.world.until(lambda: scene.shop.api.faulted or None, 20, "no 429")
    begin = loop.time()
    mai = scene.shop.api.user(first_name="Mai")
    await mai.send("/points")
    await mai.wait_for(lambda m: "điểm" in m["text"])
    assert "bị chặn lại" not in scene.texts(thread), "customers are answered meanwhile"
    await scene.there(thread, lambda m: m["text"] == "bị chặn lại")
    assert loop.time() - begin >= 2.9
    assert [m["text"] for m in scene.forum.in_thread(thread)].count("bị chặn lại") == 1


async def test_a_group_that_throws_the_bot_out_loses_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.topics.PAUSE_SECONDS", 0.3)
    lan, ticket, thread = await scene.opened()
    await scene.forum.kick_bot(scene.here)
    await lan.send("trong lúc vắng")
    await asyncio.sleep(0.4)
    await scene.shop.store.write(messages.agent_says, ticket, scene.minh, "em trả lời từ web", key="web-kicked")
    await lan.wait_for(lambda m: m["text"] == "em trả lời từ web")
    await scene.forum.add_bot(scene.here)
    await scene.there(thread, lambda m: m["text"] == "trong lúc vắng")
    await scene.there(thread, "em trả lời từ web")


async def test_an_erased_customers_topic_goes(scene: Scene) -> None:
    lan, ticket, thread = await scene.opened("bí mật của tôi")
    await scene.type(thread, "em hiểu bí mật ấy")
    await quiet(scene.shop)
    customer = (await customer_of(scene.shop, lan)).id
    await scene.shop.store.write(privacy.erase, customer, "test")
    await scene.shop.api.world.until(lambda: scene.forum.chat.topics[thread].deleted or None, 20, "the topic is there")
    await quiet(scene.shop)
    for table, column in (("outbox", "payload"), ("inbox", "body"), ("forum_topics", "name"), ("notices", "params")):
        kept = await scene.shop.store.read(
            lambda s, t=table, c=column: s.execute(sa.text(f"SELECT {c} FROM {t}")).scalars().all()
        )
        assert not [one for one in kept if "bí mật" in str(one)], table
    assert await scene.shop.store.read(topics.topic_of, ticket) is None
