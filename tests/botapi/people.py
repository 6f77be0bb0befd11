"""People: the driver by which tests play customers and staff."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .chats import Chat, member, quoted, wire
from .entities import found_entities
from .errors import Json, Refusal
from .world import Tap, World

if TYPE_CHECKING:
    from .groups import Group

Predicate = Callable[[Json], Any]
PATIENCE = 15.0
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}


def holds(predicate: Predicate, message: Json) -> bool:
    """Whether a message is the one meant; a predicate that asks for a field it lacks means another one."""
    try:
        return bool(predicate(message))
    except (KeyError, IndexError, TypeError):
        return False


async def wait_for(
    world: World, chat: Chat, predicate: Predicate, since: int, timeout: float, thread: int | None = None
) -> Json:
    """The first message of the bot's in a chat that is meant and was sent or edited after change number `since`."""

    def find() -> Json | None:
        for message in chat.sent:
            if thread is not None and message.get("message_thread_id") != thread:
                continue
            if chat.touched[message["message_id"]] > since and holds(predicate, message):
                return message
        return None

    def missing() -> str:
        seen = [message.get("text", message.get("caption", sorted(message))) for message in chat.sent[-5:]]
        refused = [entry.reason for entry in world.refused[-3:]]
        return f"no such message in chat {chat.id} within {timeout} s; the last ones: {seen}; refused: {refused}"

    return await world.until(find, timeout, missing)


def buttons_of(message: Json) -> list[Json]:
    """The buttons under a message, in reading order; a bare text on a reply keyboard counts as one."""
    markup = message.get("reply_markup", {})
    rows = markup.get("inline_keyboard") or markup.get("keyboard") or []
    return [button for row in rows for button in row]


def pick_button(buttons: list[Json], wanted: str) -> Json:
    """The button with this text or data, or the only one whose text holds it.

    Raises:
        LookupError: none, or more than one.
    """
    for button in buttons:
        if wanted in (button["text"], button.get("callback_data")):
            return button
    found = [button for button in buttons if wanted in button["text"]]
    if len(found) != 1:
        raise LookupError(f"{len(found)} buttons match {wanted!r} among {[button['text'] for button in buttons]}")
    return found[0]


class Person:
    """Somebody with a Telegram account. Acting methods return once Telegram has it, not once the bot has."""

    def __init__(self, world: World, about: Json, *, started: bool = True) -> None:
        self.world = world
        self.about = about
        self.id: int = about["id"]
        names: Json = {name: about[name] for name in ("first_name", "last_name", "username") if name in about}
        self.chat = Chat(self.id, "private", names)
        if not started:
            self.chat.refuses = Refusal(403, "bot can't initiate conversation with a user", fated=True)
        world.users[self.id] = about
        world.chats[self.id] = self.chat
        world.join(self.chat, about)
        self._mark = 0

    @property
    def inbox(self) -> list[Json]:
        """What the bot sent to them and did not delete, in order, as it reads now."""
        return self.chat.sent

    @property
    def texts(self) -> list[str]:
        """The words of the inbox."""
        return [str(message.get("text", message.get("caption", ""))) for message in self.inbox]

    @property
    def keyboard(self) -> list[Json]:
        """The buttons of the reply keyboard they see now."""
        for message in reversed(self.inbox):
            markup = message.get("reply_markup", {})
            if "keyboard" in markup or "remove_keyboard" in markup:
                return buttons_of(message)
        return []

    async def wait_for(self, predicate: Predicate, timeout: float = PATIENCE, *, fresh: bool = True) -> Json:
        """The first message of the bot's that is meant. `fresh`: sent or edited since they last did something.

        Raises:
            TimeoutError: there was none; shows the last messages.
        """
        return await wait_for(self.world, self.chat, predicate, self._mark if fresh else -1, timeout)

    def _act(self) -> None:
        self._mark = self.world.tick

    async def _say(
        self,
        content: Json,
        in_: "Group | None" = None,
        thread: int | None = None,
        reply_to: Json | int | None = None,
        anonymous: bool = False,
    ) -> Json:
        self._act()
        world, chat = self.world, in_.chat if in_ is not None else self.chat
        if chat.private and chat.refuses is not None:
            # whoever writes to a bot lets it answer; Telegram tells the bot first when it was blocked
            if "blocked" in chat.refuses.description:
                await self.unblock()
            chat.refuses = None
        place: Json = {}
        original = None
        if reply_to is not None:
            original = chat.messages[reply_to if isinstance(reply_to, int) else reply_to["message_id"]]
            thread = thread or original.get("message_thread_id")
        if thread is not None:
            topic = chat.topic(thread)
            place = {"message_thread_id": topic.id, "is_topic_message": True}
            original = original or chat.messages.get(topic.id)  # Telegram shows it as a reply to the topic's beginning
        if original is not None:
            place["reply_to_message"] = quoted(original)
        if anonymous:
            place["sender_chat"] = chat.describe()
        message = world.post(chat, content | place, ANONYMOUS if anonymous else self.about)
        world.tell("message", message, ("chat", chat.id))
        return message

    async def send(
        self,
        text: str,
        in_: "Group | None" = None,
        thread: int | None = None,
        reply_to: Json | int | None = None,
        anonymous: bool = False,
    ) -> Json:
        """Write a text, privately or in a group's topic."""
        entities = found_entities(text)
        content = {"text": text} | ({"entities": entities} if entities else {})
        return await self._say(content, in_, thread, reply_to, anonymous)

    async def start(self, payload: str = "") -> Json:
        """Open the bot, by a deep link with a payload or without."""
        return await self.send(f"/start {payload}".strip())

    async def _file(self, kind: str, data: bytes, name: str, caption: str | None, mime: str, more: Json) -> Json:
        content = {kind: self.world.files.keep(kind, data, name, mime).content()}
        return await self._say(content | ({"caption": caption} if caption else {}) | more.pop("fields", {}), **more)

    async def send_photo(self, data: bytes, caption: str | None = None, **where: Any) -> Json:
        """Send a picture; `where` as in `send`."""
        return await self._file("photo", data, "photo.jpg", caption, "image/jpeg", where)

    async def send_document(
        self,
        data: bytes,
        name: str = "file.pdf",
        caption: str | None = None,
        mime: str = "application/pdf",
        **where: Any,
    ) -> Json:
        """Send a file."""
        return await self._file("document", data, name, caption, mime, where)

    async def send_voice(self, data: bytes = b"OggS", caption: str | None = None, **where: Any) -> Json:
        """Send a voice message."""
        return await self._file("voice", data, "voice.oga", caption, "audio/ogg", where)

    async def send_video(self, data: bytes = b"mp4", caption: str | None = None, **where: Any) -> Json:
        """Send a video."""
        return await self._file("video", data, "video.mp4", caption, "video/mp4", where)

    async def send_sticker(self, data: bytes = b"RIFF", **where: Any) -> Json:
        """Send a sticker."""
        return await self._file("sticker", data, "sticker.webp", None, "image/webp", where)

    async def send_album(self, items: Sequence[bytes | tuple[bytes, str]], **where: Any) -> list[Json]:
        """Send pictures as one album: a message each, with captions where a pair is given."""
        group = str(next(self.world.numbers) + 10**15)
        sent = []
        for item in items:
            data, caption = item if isinstance(item, tuple) else (item, None)
            more = {"fields": {"media_group_id": group}} | where
            sent.append(await self._file("photo", data, "photo.jpg", caption, "image/jpeg", more))
        return sent

    async def send_location(self, latitude: float = 10.7769, longitude: float = 106.7009, **where: Any) -> Json:
        """Send a place."""
        return await self._say({"location": {"latitude": latitude, "longitude": longitude}}, **where)

    async def share_contact(self, phone: str, user_id: int | None = None, **where: Any) -> Json:
        """Share a phone number: their own, or somebody else's contact (`user_id` 0: of nobody on Telegram)."""
        contact: Json = {"phone_number": phone, "first_name": self.about["first_name"]}
        owner = self.id if user_id is None else user_id
        return await self._say({"contact": contact | ({"user_id": owner} if owner else {})}, **where)

    async def edit(self, message: Json, text: str) -> Json:
        """Change the words of a message of theirs."""
        self._act()
        chat = self.world.chats[message["chat"]["id"]]
        live = chat.messages[message["message_id"]]
        field = "text" if "text" in live else "caption"
        live |= {field: text, "edit_date": int(self.world.now())}
        self.world.touch(chat, live)
        self.world.tell("edited_message", live, ("chat", chat.id))
        return live

    async def tap(self, message: Json | None, wanted: str, *, answer: bool = True, timeout: float = PATIENCE) -> Tap:
        """Tap a button by its text or data and wait for the bot's answer to the tap (unless `answer` is false).

        A link button gives its address; a reply keyboard's button (`message` None: the keyboard they see) sends its text,
        contact or place.

        Raises:
            LookupError: no such button, or the message is gone.
            TimeoutError: the bot did not answer.
        """
        world = self.world
        if message is None:
            return await self._press(pick_button(self.keyboard, wanted))
        chat = world.chats[message["chat"]["id"]]
        live = chat.messages.get(message["message_id"])
        if live is None:
            raise LookupError("the message is gone")
        button = pick_button(buttons_of(live), wanted)
        if "keyboard" in live.get("reply_markup", {}):
            return await self._press(button)
        tap = Tap(str(next(world.numbers) + 10**17), world.now())
        for kind in ("url", "web_app", "login_url"):
            if kind in button:
                tap.url = button[kind] if kind == "url" else button[kind]["url"]
                return tap
        if "callback_data" not in button:
            raise LookupError(f"the button {button['text']!r} can't be tapped")
        self._act()
        world.taps[tap.id] = tap
        query: Json = {"id": tap.id, "from": self.about, "message": wire(live), "chat_instance": str(chat.id)}
        world.tell("callback_query", query | {"data": button["callback_data"]}, ("tap", self.id))
        if answer:
            await world.until(lambda: tap.answer, timeout, f"the bot did not answer the tap on {button['text']!r}")
        return tap

    async def _press(self, button: Json) -> Tap:
        tap = Tap("", self.world.now())
        if button.get("request_contact"):
            tap.sent = await self.share_contact(f"84{900000000 + self.id % 10**8}")
        elif button.get("request_location"):
            tap.sent = await self.send_location()
        else:
            tap.sent = await self.send(button["text"])
        return tap

    async def react(self, message: Json, *emoji: str) -> None:
        """React to a message; no emoji takes the reaction back."""
        self._act()
        chat = self.world.chats[message["chat"]["id"]]
        reaction = [{"type": "emoji", "emoji": one} for one in emoji]
        event = {"chat": chat.describe(), "message_id": message["message_id"], "user": self.about}
        event |= {"date": int(self.world.now()), "old_reaction": [], "new_reaction": reaction}
        self.world.tell("message_reaction", event, ("reaction", chat.id))

    async def _membership(self, old: str, new: str) -> None:
        self._act()
        world = self.world
        event = {"chat": self.chat.describe(), "from": self.about, "date": int(world.now())}
        event |= {"old_chat_member": member(world.bot, old), "new_chat_member": member(world.bot, new)}
        world.tell("my_chat_member", event, ("member", self.id))

    async def block(self) -> None:
        """Block the bot."""
        self.chat.refuses = Refusal(403, "bot was blocked by the user", fated=True)
        await self._membership("member", "kicked")

    async def unblock(self) -> None:
        """Let the bot write again."""
        self.chat.refuses = None
        await self._membership("kicked", "member")

    def deactivate(self) -> None:
        """Delete the account."""
        self.chat.refuses = Refusal(403, "user is deactivated", fated=True)
