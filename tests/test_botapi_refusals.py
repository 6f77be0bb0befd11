"""What the tests' own Bot API server refuses, and that its rules are the Bot API's."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.botapi import BotApiServer
from tests.botapi.api import Api
from tests.botapi.limits import METHOD_LIMITS, type_limits
from tests.botapi.schema import METHOD_NAMES, find

FACTS = Path(__file__).parents[2] / "shared/facts/telegram-bot-api.json"


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    async with await BotApiServer.start() as running:
        yield running


@pytest.fixture
async def api(server: BotApiServer) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as http:
        yield Api(server, http)


KEYBOARD_REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"inline_keyboard": [[{"text": "a"}]]}, "Text buttons are unallowed"),
    ({"inline_keyboard": [[{"text": "", "callback_data": "x"}]]}, "text must be non-empty"),
    ({"inline_keyboard": [[{"text": "a", "callback_data": "đ" * 33}]]}, "BUTTON_DATA_INVALID"),
    ({"inline_keyboard": [[{"text": "a", "callback_data": "x", "url": "https://a.vn"}]]}, "exactly one action"),
    ({"inline_keyboard": [[{"text": "a", "url": "http://localhost/x"}]]}, "Wrong HTTP URL"),
    ({"inline_keyboard": [[{"text": "a", "web_app": {"url": "http://a.vn"}}]]}, "Only HTTPS"),
    ({"inline_keyboard": [[{"text": "a", "callbackdata": "x"}]]}, "unknown field"),
    ({"inline_keyboard": {"text": "a"}}, "must be of type Array"),
    ({"keyboard": []}, "keyboard is empty"),
    ({"keyboard": [[{"text": "a", "request_contact": True, "request_location": True}]]}, "at most one action"),
]


@pytest.mark.parametrize(("markup", "reason"), KEYBOARD_REFUSALS)
async def test_keyboards_of_a_wrong_shape_are_refused(
    server: BotApiServer, api: Api, markup: dict[str, Any], reason: str
) -> None:
    anna = server.user()
    answer = await api("sendMessage", chat_id=anna.id, text="x", reply_markup=markup)
    assert answer["error_code"] == 400
    assert reason in answer["description"]
    assert anna.inbox == []
    assert reason in server.refused[0].reason


CALL_REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("sendMessage", {}, "message text is empty"),
    ("sendMessage", {"text": "  \n"}, "message text is empty"),
    ("sendMessage", {"text": "x" * 4097}, "message is too long"),
    ("sendMessage", {"text": 5}, "must be of type String"),
    ("sendMessage", {"text": "x", "colour": "red"}, 'unknown parameter "colour"'),
    ("sendMessage", {"text": "x", "disable_notification": "perhaps"}, "must be of type Boolean"),
    ("sendMessage", {"text": "x", "message_thread_id": 7}, "message thread not found"),
    ("sendMessage", {"text": "x", "reply_parameters": {"message_id": 99}}, "message to be replied not found"),
    ("sendMessage", {"text": "<b>x", "parse_mode": "HTML"}, "can't parse entities"),
    ("sendMessage", {"text": "a < b", "parse_mode": "HTML"}, "can't parse entities"),
    ("sendMessage", {"text": "<p>x</p>", "parse_mode": "HTML"}, 'Unsupported start tag "p"'),
    ("sendMessage", {"text": "1.000 đ", "parse_mode": "MarkdownV2"}, "Character '.' is reserved"),
    ("sendMessage", {"text": "a_b", "parse_mode": "Markdown"}, "can't parse entities"),
    ("sendPhoto", {"photo": "AgACnothing"}, "wrong file identifier"),
    ("sendMediaGroup", {"media": [{"type": "photo", "media": "x"}]}, "wrong number of messages"),
    ("sendMediaGroup", {"media": [{"media": "x"}, {"media": "y"}]}, "must be one of|is required"),
    ("sendLocation", {"latitude": 91, "longitude": 0}, "wrong geo coordinates"),
    ("sendChatAction", {"action": "dancing"}, "wrong parameter action"),
    ("editMessageText", {"message_id": 99, "text": "x"}, "message to edit not found"),
    ("deleteMessage", {"message_id": 99}, "message to delete not found"),
    ("createForumTopic", {"name": "x"}, "not a forum"),
    ("getChatMember", {"user_id": 3}, "user not found"),
]


@pytest.mark.parametrize(("method", "params", "reason"), CALL_REFUSALS)
async def test_what_telegram_refuses_is_refused(
    server: BotApiServer, api: Api, method: str, params: dict[str, Any], reason: str
) -> None:
    answer = await api(method, chat_id=server.user().id, **params)
    assert answer["error_code"] == 400
    assert any(part in answer["description"] for part in reason.split("|"))
    assert len(server.refused) == 1
    assert server.calls == []


async def test_unknown_token_unknown_method_and_broken_json(server: BotApiServer, api: Api) -> None:
    assert (await api("sendMassage"))["error_code"] == 404
    async with api.http.get(f"{server.url}/bot42:WRONG/getMe") as answer:
        assert answer.status == 401
    async with api.http.post(f"{server.url}/bot{server.token}/getMe", data="{", headers={"Content-Type": "application/json"}) as answer:  # fmt: skip
        assert answer.status == 400
    async with api.http.get(f"{server.url}/bot{server.token}/getme") as answer:
        assert (await answer.json())["result"]["is_bot"] is True
    assert [entry.code for entry in server.refused] == [404, 401, 400]


@pytest.mark.skipif(not FACTS.exists(), reason="the Bot API's facts as data are not here")
def test_methods_fields_and_limits_are_those_of_the_bot_api() -> None:
    facts = json.loads(FACTS.read_text())
    assert set(facts["methods"]) <= set(METHOD_NAMES)
    for name, fact in facts["methods"].items():
        method = find(name)
        assert method is not None
        assert set(fact["fields"]) <= set(method.fields), name
        assert {field for field, entry in fact["fields"].items() if entry["required"]} == set(method.required), name
        for field, entry in fact["fields"].items():
            if (wanted := entry.get("limit")) is not None:
                limit = METHOD_LIMITS[name][field]
                assert (limit.min, limit.max, limit.unit) == (wanted["min"], wanted["max"], wanted["unit"]), (
                    name,
                    field,
                )
    sent = ("Bot", "Copy", "Force", "Inline", "Input", "Reply")
    for name, fact in facts["types"].items():
        for field, entry in fact["fields"].items() if name.startswith(sent) else ():
            if (wanted := entry.get("limit")) is not None:
                limit = type_limits(name)[field]
                assert (limit.min, limit.max, limit.unit) == (wanted["min"], wanted["max"], wanted["unit"]), (
                    name,
                    field,
                )
