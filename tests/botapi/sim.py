"""The driver over HTTP: `POST /sim/<verb>` with a JSON body, for tests and benchmarks in other processes.

`{"user": 7, …}` names who acts, `in` a group's id. Bytes are base64 in `data`. Answers are JSON; a mistake is 400, what
did not come in time 504, both `{"error": …}`.
"""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .errors import Json, Refusal
from .people import PATIENCE, Person

if TYPE_CHECKING:
    from .server import BotApiServer

#: What a person does by their own method, with the body's other fields as its arguments.
ACTS = frozenset(
    {
        "send", "start", "send_photo", "send_document", "send_voice", "send_video", "send_sticker", "send_album",
        "send_location", "share_contact", "block", "unblock",
    }
)  # fmt: skip


class Sim:
    """Answers `/sim/…`."""

    def __init__(self, server: "BotApiServer") -> None:
        self._server = server
        self._verbs: dict[str, Callable[[Json], Awaitable[Any]]] = {
            "user": self._user,
            "forum": self._forum,
            "edit": self._edit,
            "tap": self._tap,
            "react": self._react,
            "inbox": self._inbox,
            "wait": self._wait,
            "wait_calls": self._wait_calls,
            "calls": self._calls,
            "refused": self._refused,
            "fault": self._fault,
            "flood": self._flood,
            "status": self._status,
        }

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """One request."""
        verb = request.rel_url.path.removeprefix("/sim/").strip("/")
        try:
            body = json.loads(await request.read() or b"{}")
            if verb in ACTS:
                answer = await self._act(verb, body)
            elif verb in self._verbs:
                answer = await self._verbs[verb](body)
            else:
                return _json({"error": f"no such verb; there are {sorted(ACTS | self._verbs.keys())}"}, 404)
        except TimeoutError as error:
            return _json({"error": str(error)}, 504)
        except (LookupError, TypeError, ValueError, Refusal, binascii.Error) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        return _json(answer, 200)

    def _person(self, body: Json) -> Person:
        return self._server.people[body.pop("user")]

    def _message(self, body: Json, person: Person) -> Json:
        chat = self._server.world.chats[body.get("chat", person.id)]
        return chat.messages[body["message_id"]]

    async def _act(self, verb: str, body: Json) -> Any:
        person = self._person(body)
        if "in" in body:
            body["in_"] = self._server.groups[body.pop("in")]
        if "data" in body:
            body["data"] = base64.b64decode(body["data"])
        if "items" in body:
            body["items"] = [base64.b64decode(item) for item in body["items"]]
        return await getattr(person, verb)(**body)

    async def _user(self, body: Json) -> Json:
        return self._server.user(**body).about

    async def _forum(self, body: Json) -> Json:
        members = [self._server.people[user] for user in body.pop("members", [])]
        group = self._server.forum(**body)
        group.add(*members)
        return group.chat.describe()

    async def _edit(self, body: Json) -> Json:
        person = self._person(body)
        return await person.edit(self._message(body, person), body["text"])

    async def _tap(self, body: Json) -> Json:
        person = self._person(body)
        message = self._message(body, person) if "message_id" in body else None
        tap = await person.tap(
            message, body["button"], answer=body.get("answer", True), timeout=body.get("timeout", PATIENCE)
        )
        return asdict(tap)

    async def _react(self, body: Json) -> Json:
        person = self._person(body)
        await person.react(self._message(body, person), *body["emoji"])
        return {}

    async def _inbox(self, body: Json) -> list[Json]:
        return self._server.world.chats[body["chat"]].sent

    async def _wait(self, body: Json) -> Json:
        """The first message to a person (since their last act) or group whose JSON holds `contains`."""
        wanted = body["contains"]
        timeout = body.get("timeout", PATIENCE)

        def holds(message: Json) -> bool:
            return wanted in json.dumps(message, ensure_ascii=False)

        if "in" in body:
            return await self._server.groups[body["in"]].wait_for(holds, timeout, thread=body.get("thread"))
        return await self._person(body).wait_for(holds, timeout, fresh=body.get("fresh", True))

    async def _wait_calls(self, body: Json) -> list[Json]:
        return [asdict(call) for call in await self._server.wait_calls(**body)]

    async def _calls(self, body: Json) -> list[Json]:
        """Calls from number `since` on, of a method and to a chat if given."""
        methods = (body["method"],) if "method" in body else ()
        found = self._server.calls_of(*methods, chat=body.get("chat"))
        return [asdict(call) for call in found[body.get("since", 0) :]]

    async def _refused(self, body: Json) -> list[Json]:
        return [asdict(entry) for entry in self._server.refused]

    async def _fault(self, body: Json) -> Json:
        if body.get("clear"):
            self._server.world.faults.clear()
            return {}
        return asdict(self._server.fault(**body))

    async def _flood(self, body: Json) -> Json:
        return (await self._server.flood(**body)).describe()

    async def _status(self, body: Json) -> Json:
        server = self._server
        numbers = {"calls": len(server.calls), "refused": len(server.refused), "declined": len(server.declined)}
        return numbers | {"faulted": len(server.faulted), "webhook": server.world.webhook.describe()}


def _json(answer: Any, status: int) -> web.Response:
    text = json.dumps(answer, ensure_ascii=False, default=lambda value: value.decode("utf-8", "replace"))
    return web.Response(text=text, status=status, content_type="application/json")
