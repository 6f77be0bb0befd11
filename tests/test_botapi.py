"""The tests' own Bot API server, driven by a real aiogram bot and by bare posts."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiogram import Bot, Dispatcher, F, types
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramMigrateToChat, TelegramRetryAfter
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from tests.botapi import BotApiServer
from tests.botapi.api import Api

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x08"


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    async with await BotApiServer.start(patience=0.001) as running:
        yield running


@pytest.fixture
async def bot(server: BotApiServer) -> AsyncIterator[Bot]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(server.url), limit=20)
    yield Bot(server.token, session=session, default=DefaultBotProperties(parse_mode="HTML"))
    if session._session is not None:  # Bot.session.close() also sleeps a quarter of a second
        await session._session.close()


@pytest.fixture
async def api(server: BotApiServer) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as http:
        yield Api(server, http)


def echo_dispatcher() -> Dispatcher:
    dispatcher = Dispatcher()

    @dispatcher.message(F.photo)
    async def photo(message: types.Message) -> None:
        assert message.photo
        await message.answer_photo(message.photo[-1].file_id, caption="<b>lại</b>")

    @dispatcher.message(F.contact)
    async def contact(message: types.Message) -> None:
        assert message.contact
        assert message.from_user
        await message.answer("own" if message.contact.user_id == message.from_user.id else "foreign")

    @dispatcher.message(F.text)
    async def text(message: types.Message) -> None:
        button = types.InlineKeyboardButton(text="Thích", callback_data="like")
        keyboard = types.InlineKeyboardMarkup(inline_keyboard=[[button]])
        await message.answer(f"echo <b>{message.text}</b>", reply_markup=keyboard)

    @dispatcher.edited_message()
    async def edited(message: types.Message) -> None:
        await message.answer(f"edited to {message.text}")

    @dispatcher.callback_query()
    async def tapped(query: types.CallbackQuery) -> None:
        assert isinstance(query.message, types.Message)
        await query.message.edit_text("cảm ơn")
        await query.answer("đã ghi")

    @dispatcher.my_chat_member()
    async def membership(event: types.ChatMemberUpdated, bot: Bot) -> None:
        if event.new_chat_member.status == "member":
            await bot.send_message(event.chat.id, "welcome back")

    @dispatcher.message_reaction()
    async def reaction(event: types.MessageReactionUpdated, bot: Bot) -> None:
        await bot.send_message(event.chat.id, "reacted")

    return dispatcher


@pytest.fixture
async def polling(server: BotApiServer, bot: Bot) -> AsyncIterator[None]:
    dispatcher = echo_dispatcher()
    task = asyncio.ensure_future(
        dispatcher.start_polling(
            bot, handle_signals=False, close_bot_session=False, allowed_updates=dispatcher.resolve_used_update_types()
        )
    )
    await server.wait_calls(1, "getMe")
    yield
    await dispatcher.stop_polling()
    await task


@pytest.fixture
async def webhook(server: BotApiServer, bot: Bot) -> AsyncIterator[list[int]]:
    """A bot behind a webhook that first answers with the statuses in the list, in order."""
    statuses: list[int] = []
    app = web.Application()
    handler = SimpleRequestHandler(echo_dispatcher(), bot, handle_in_background=False, secret_token="s3cret")

    async def shaky(request: web.Request) -> web.StreamResponse:
        if statuses:
            status = statuses.pop(0)
            return web.Response(status=status, headers={"Retry-After": "7"} if status == 429 else {})
        return await handler.handle(request)

    app.router.add_post("/hook", shaky)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    await bot.set_webhook(f"http://127.0.0.1:{port}/hook", secret_token="s3cret", max_connections=4)
    yield statuses
    await server.world.webhook.stop()
    await runner.cleanup()


@pytest.mark.usefixtures("polling")
async def test_people_talk_to_a_polling_bot(server: BotApiServer) -> None:
    anna = server.user(first_name="Anna", language_code="vi")
    await anna.start("r_ABC")
    reply = await anna.wait_for(lambda m: "echo" in m["text"])
    assert reply["text"] == "echo /start r_ABC"
    assert reply["entities"] == [{"type": "bold", "offset": 5, "length": 12}]
    tap = await anna.tap(reply, "Thích")
    assert tap.answer == {"text": "đã ghi"}
    assert anna.texts == ["cảm ơn"]
    sent = await anna.send("một")
    await anna.wait_for(lambda m: m["text"] == "echo một")
    await anna.edit(sent, "hai")
    await anna.wait_for(lambda m: m["text"] == "edited to hai")
    photo = await anna.send_photo(PNG, "xem")
    again = await anna.wait_for(lambda m: m["photo"])
    assert again["photo"] == photo["photo"]
    assert again["photo"][0]["width"] == 16
    assert again["caption"] == "lại"
    await anna.share_contact("84901234567")
    await anna.wait_for(lambda m: m["text"] == "own")
    await anna.share_contact("84907654321", user_id=5)
    await anna.wait_for(lambda m: m["text"] == "foreign")
    await anna.react(again, "👍")
    await anna.wait_for(lambda m: m["text"] == "reacted")
    await server.wait_delivered()
    assert server.refused == []


@pytest.mark.usefixtures("polling")
async def test_somebody_who_blocked_the_bot_is_not_reached(server: BotApiServer, bot: Bot) -> None:
    anna = server.user()
    await anna.block()
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(anna.id, "hi")
    assert server.refused == []
    assert server.declined[0].code == 403
    await anna.unblock()
    await anna.wait_for(lambda m: m["text"] == "welcome back")
    await anna.block()
    await anna.send("back again")
    await anna.wait_for(lambda m: m["text"] == "echo back again")
    assert anna.texts.count("welcome back") == 2
    stranger = server.user(started=False)
    with pytest.raises(TelegramForbiddenError, match="can't initiate"):
        await bot.send_message(stranger.id, "hi")
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(1, "hi")


async def test_webhook_updates_come_with_the_secret_in_order_and_again(
    server: BotApiServer, webhook: list[int]
) -> None:
    webhook += [500, 429, 403]
    anna = server.user()
    for number in range(5):
        await anna.send(str(number))
    await server.wait_delivered()
    assert anna.texts == [f"echo {number}" for number in range(5)]
    assert [status for _, status in server.world.webhook.attempts][:4] == [500, 429, 403, 200]
    waits = server.world.webhook.waits
    assert waits[0] == 1
    assert waits[1] == 7
    assert 2 < waits[2] <= 4
    tap = await anna.tap(anna.inbox[0], "like")
    assert tap.answer == {"text": "đã ghi"}
    assert server.refused == []


async def test_a_webhook_with_another_secret_is_never_satisfied(server: BotApiServer, webhook: list[int]) -> None:
    server.world.webhook.secret = "other"
    await server.user().send("hi")
    await server.world.until(lambda: len(server.world.webhook.attempts) >= 3 or None, 5, "three attempts")
    assert {status for _, status in server.world.webhook.attempts} == {401}
    assert len(server.world.updates.pending) == 1


async def test_polling_and_webhook_exclude_each_other_and_two_pollers(server: BotApiServer, api: Api) -> None:
    first = asyncio.ensure_future(api("getUpdates", timeout=30))
    await server.world.until(lambda: server.world.updates.poller, 5, "a poller")
    second = asyncio.ensure_future(api("getUpdates", timeout=30))
    assert (await first)["description"].startswith("Conflict: terminated by other getUpdates request")
    await server.user().send("x")
    updates = (await second)["result"]
    assert [update["message"]["text"] for update in updates] == ["x"]
    assert (await api("getUpdates"))["result"] == updates
    assert (await api("getUpdates", offset=updates[0]["update_id"] + 1))["result"] == []
    assert (await api("setWebhook", url="http://127.0.0.1:9/x"))["ok"]
    assert "webhook is active" in (await api("getUpdates"))["description"]
    assert (await api("getWebhookInfo"))["result"]["url"] == "http://127.0.0.1:9/x"
    assert (await api("deleteWebhook"))["ok"]
    assert (await api("getUpdates"))["result"] == []


async def test_edits_deletes_and_old_taps(server: BotApiServer, bot: Bot, api: Api) -> None:
    anna = server.user()
    sent = await bot.send_message(anna.id, "một")
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("một", chat_id=anna.id, message_id=sent.message_id)
    await bot.edit_message_text("<i>hai</i>", chat_id=anna.id, message_id=sent.message_id)
    assert anna.texts == ["hai"]
    keys = types.ReplyKeyboardMarkup(keyboard=[[types.KeyboardButton(text="Số của tôi", request_contact=True)]])
    asked = await bot.send_message(anna.id, "số?", reply_markup=keys)
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await bot.edit_message_text("x", chat_id=anna.id, message_id=asked.message_id)
    tap = await anna.tap(None, "Số của tôi")
    assert tap.sent is not None
    assert tap.sent["contact"]["user_id"] == anna.id
    theirs = await anna.send("của tôi")
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await bot.edit_message_text("x", chat_id=anna.id, message_id=theirs["message_id"])
    button = types.InlineKeyboardButton(text="A", callback_data="a")
    live = await bot.send_message(anna.id, "nút", reply_markup=types.InlineKeyboardMarkup(inline_keyboard=[[button]]))
    late = await anna.tap(anna.inbox[-1], "A", answer=False)
    server.world.ahead = 60
    assert "query is too old" in (await api("answerCallbackQuery", callback_query_id=late.id))["description"]
    assert "query is too old" in (await api("answerCallbackQuery", callback_query_id="7"))["description"]
    assert len(server.declined) == 1
    await live.delete()
    assert anna.texts == ["hai", "số?"]
    server.world.ahead = 49 * 3600
    with pytest.raises(TelegramBadRequest, match="can't be deleted"):
        await sent.delete()


async def test_files_go_up_come_down_and_go_again(server: BotApiServer, bot: Bot) -> None:
    anna = server.user()
    sent = await bot.send_document(anna.id, types.BufferedInputFile(b"bytes", "hóa đơn.pdf"), caption="đây")
    assert sent.document
    assert sent.document.file_name == "hóa đơn.pdf"
    got = await bot.download(sent.document.file_id)
    assert got is not None
    assert got.read() == b"bytes"
    await bot.send_document(anna.id, sent.document.file_id)
    with pytest.raises(TelegramBadRequest, match="can't use file of type Document as Photo"):
        await bot.send_photo(anna.id, sent.document.file_id)
    with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
        await bot.send_photo(anna.id, types.BufferedInputFile(b"no picture", "x.png"))
    album = [types.InputMediaPhoto(media=types.BufferedInputFile(PNG, f"{n}.png"), caption=f"số {n}") for n in range(2)]
    one, two = await bot.send_media_group(anna.id, list(album))
    assert one.media_group_id == two.media_group_id
    received = await anna.send_album([(PNG, "cả hai"), PNG])
    copies = await bot.copy_messages(anna.id, anna.id, [message["message_id"] for message in received])
    assert len(copies) == 2
    assert anna.inbox[-1]["media_group_id"] == anna.inbox[-2]["media_group_id"] != received[0]["media_group_id"]
    voice = await anna.send_voice(b"OggS" + b"\0" * 9)
    assert (await bot.forward_message(anna.id, anna.id, voice["message_id"])).voice is not None


async def test_forum_topics_live_close_and_die(server: BotApiServer, bot: Bot) -> None:
    lan = server.user(first_name="Lan")
    forum = server.forum("Bàn hỗ trợ")
    forum.add(lan, status="administrator")
    topic = await bot.create_forum_topic(forum.id, "#1 Anna")
    thread = topic.message_thread_id
    note = await bot.send_message(forum.id, "khách hỏi", message_thread_id=thread)
    assert note.is_topic_message
    assert [message["text"] for message in forum.in_thread(thread)] == ["khách hỏi"]
    said = await lan.send("chào chị", in_=forum, thread=thread, reply_to=note.message_id)
    plain = await lan.send("còn đây", in_=forum, thread=thread)
    updates = await bot.get_updates()
    assert [u.message.message_thread_id for u in updates if u.message] == [thread, thread]
    assert said["reply_to_message"]["message_id"] == note.message_id
    assert plain["reply_to_message"]["forum_topic_created"]["name"] == "#1 Anna"
    assert await bot.edit_forum_topic(forum.id, thread, name="#1 Anna ✅")
    with pytest.raises(TelegramBadRequest, match="TOPIC_NOT_MODIFIED"):
        await bot.edit_forum_topic(forum.id, thread, name="#1 Anna ✅")
    assert await bot.close_forum_topic(forum.id, thread)
    with pytest.raises(TelegramBadRequest, match="message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=1)
    with pytest.raises(TelegramBadRequest, match="is too long"):
        await bot.create_forum_topic(forum.id, "x" * 129)
    refused = len(server.refused)
    await forum.delete_topic(thread)
    with pytest.raises(TelegramBadRequest, match="message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=thread)
    assert len(server.refused) == refused
    server.fault("sendMessage", kind="thread_ignored")
    other = await bot.create_forum_topic(forum.id, "khác")
    assert (await bot.send_message(forum.id, "x", message_thread_id=other.message_thread_id)).message_thread_id is None


async def test_a_group_that_moves_names_its_new_id(server: BotApiServer, bot: Bot) -> None:
    lan, group = server.user(), server.group()
    moved = await group.migrate(lan)
    with pytest.raises(TelegramMigrateToChat) as caught:
        await bot.send_message(group.id, "x")
    assert caught.value.migrate_to_chat_id == moved.id
    await bot.send_message(moved.id, "x")
    updates = await bot.get_updates()
    assert [u.message.migrate_to_chat_id for u in updates if u.message] == [moved.id, None]


async def test_faults_of_calls(server: BotApiServer, bot: Bot, api: Api) -> None:
    anna, ben = server.user(), server.user()
    server.fault("sendMessage", chat=anna.id, kind="429", retry_after=3)
    await bot.send_message(ben.id, "not me")
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.send_message(anna.id, "x")
    assert caught.value.retry_after == 3
    for kind, code in (("blocked", 403), ("deactivated", 403), ("chat_not_found", 400), ("500", 500)):
        server.fault(kind=kind)  # type: ignore[arg-type]
        assert (await api("sendMessage", chat_id=anna.id, text="x"))["error_code"] == code
    server.fault(kind="thread_not_found", text="TOPIC_DELETED")
    assert (await api("sendMessage", chat_id=anna.id, text="x"))["description"] == "Bad Request: TOPIC_DELETED"
    url, body = f"{server.url}/bot{server.token}/sendMessage", {"chat_id": anna.id, "text": "x"}
    server.fault(kind="502")
    async with api.http.post(url, json=body) as answer:
        assert answer.status == 502
        assert answer.content_type == "text/html"
    server.fault(kind="closed")
    with pytest.raises(aiohttp.ClientError):
        await api.http.post(url, json=body)
    assert anna.inbox == []
    server.fault(kind="cut")
    with pytest.raises(aiohttp.ClientError):
        await api.http.post(url, json=body)
    assert anna.texts == ["x"]
    server.fault(kind="hang")
    with pytest.raises(TimeoutError):
        await api.http.post(url, json=body, timeout=aiohttp.ClientTimeout(total=0.05))
    assert anna.texts == ["x", "x"]
    async with server.down():
        with pytest.raises(aiohttp.ClientConnectionError):
            await api.http.post(url, json=body)
    assert (await api("sendMessage", chat_id=anna.id, text="back"))["ok"]
    assert len(server.faulted) == 7
    assert server.refused == []


async def test_faults_of_updates(server: BotApiServer, api: Api) -> None:
    anna = server.user()
    server.fault(kind="redelivered")
    await anna.send("twice")
    server.fault(kind="hologram")
    server.fault(kind="reordered")
    await anna.send("second")
    await anna.send("first")
    offset, seen = 0, []
    while batch := (await api("getUpdates", offset=offset, limit=1))["result"]:
        seen.append(batch[0])
        offset = batch[0]["update_id"] + 1
    words = [update.get("message", {}).get("text", "hologram") for update in seen]
    assert set(words) == {"twice", "hologram", "first", "second"}
    assert words.index("first") < words.index("second")
    twice = [update["update_id"] for update in seen if update.get("message", {}).get("text") == "twice"]
    assert len(twice) == 2
    assert twice[0] == twice[1]


async def test_the_bot_describes_itself(server: BotApiServer, bot: Bot) -> None:
    commands = [types.BotCommand(command="points", description="Điểm của tôi")]
    await bot.set_my_commands(commands, language_code="vi")
    assert [command.command for command in await bot.get_my_commands(language_code="vi")] == ["points"]
    await bot.set_my_description("Tích điểm")
    assert (await bot.get_my_description()).description == "Tích điểm"
    with pytest.raises(TelegramBadRequest, match="description is too long"):
        await bot.set_my_description("x" * 513)
    with pytest.raises(TelegramBadRequest, match="BOT_COMMAND_INVALID"):
        await bot.set_my_commands([types.BotCommand(command="Điểm", description="x")])
    assert (await bot.get_chat(server.user().id)).type == "private"
    assert (await bot.get_my_star_balance()).amount == 0
    assert await bot.set_chat_title(server.forum().id, "x") is True


async def test_a_flood_by_webhook_is_counted(server: BotApiServer, webhook: list[int]) -> None:
    report = await server.flood(users=60, text="/points", connections=8, each=2, timeout=8)
    assert (report.updates, report.accepted, report.replies, report.served) == (120, 120, 120, 60)
    assert report.failures == {}
    assert 0 < report.seconds < 8
    assert server.refused == []


@pytest.mark.usefixtures("polling")
async def test_a_flood_by_polling_is_counted(server: BotApiServer) -> None:
    report = await server.flood(users=120, timeout=8)
    assert (report.replies, report.served) == (120, 120)


@pytest.mark.usefixtures("polling")
async def test_people_are_played_over_http(server: BotApiServer, api: Api) -> None:
    async def sim(verb: str, **body: Any) -> Any:
        async with api.http.post(f"{server.url}/sim/{verb}", json=body) as answer:
            return await answer.json() if answer.status == 200 else answer.status

    await sim("user", id=7, first_name="Anna")
    await sim("send", user=7, text="xin chào")
    reply = await sim("wait", user=7, contains="echo xin chào")
    assert (await sim("tap", user=7, message_id=reply["message_id"], button="like"))["answer"] == {"text": "đã ghi"}
    assert [message["text"] for message in await sim("inbox", chat=7)] == ["cảm ơn"]
    assert len(await sim("wait_calls", n=1, method="sendMessage")) == 1
    assert await sim("wait", user=7, contains="never", timeout=0.01) == 504
    assert await sim("send", user=8, text="x") == 400
    assert await sim("dance") == 404
    await sim("fault", method="sendMessage", kind="429", retry_after=1)
    assert (await sim("status"))["refused"] == 0
    assert await sim("refused") == []
