"""Groups and forums: the driver by which tests play the places where staff work."""

from .chats import Chat, Topic, member
from .errors import Json, Refusal
from .forum import ICON_COLORS, make_topic, remove_topic
from .people import PATIENCE, Person, Predicate, wait_for
from .world import World


class Group:
    """A basic group, a supergroup or a forum that the bot administers."""

    def __init__(self, world: World, chat: Chat) -> None:
        self.world = world
        self.chat = chat
        self.id = chat.id
        world.chats[chat.id] = chat
        world.join(chat, world.bot, "administrator")

    @property
    def inbox(self) -> list[Json]:
        """What the bot sent here, in order, as it reads now."""
        return self.chat.sent

    @property
    def topics(self) -> list[Topic]:
        """The topics that are there."""
        return [topic for topic in self.chat.topics.values() if not topic.deleted]

    def in_thread(self, thread: int | None) -> list[Json]:
        """What the bot sent to one topic; None: to General."""
        return [message for message in self.inbox if message.get("message_thread_id") == thread]

    async def wait_for(
        self, predicate: Predicate, timeout: float = PATIENCE, *, thread: int | None = None, since: int = -1
    ) -> Json:
        """The first message of the bot's here (in a topic) that is meant, touched after the world's change `since`.

        Raises:
            TimeoutError: there was none.
        """
        return await wait_for(self.world, self.chat, predicate, since, timeout, thread)

    async def wait_topic(self, predicate: Predicate | None = None, timeout: float = PATIENCE) -> Topic:
        """The first topic that is there (and is meant, by its ForumTopic JSON).

        Raises:
            TimeoutError: there was none.
        """

        def find() -> Topic | None:
            fitting = (topic for topic in self.topics if predicate is None or predicate(topic.describe()))
            return next(fitting, None)

        return await self.world.until(find, timeout, lambda: f"no such topic; there are {self.topics}")

    def add(self, *people: Person, status: str = "member") -> None:
        """Make people members, silently."""
        for person in people:
            self.world.join(self.chat, person.about, status)

    def _service(self, content: Json, by: Person) -> Json:
        message = self.world.post(self.chat, content, by.about)
        self.world.tell("message", message, ("chat", self.id))
        return message

    async def join(self, person: Person, by: Person | None = None) -> Json:
        """Somebody comes in, or is brought."""
        old = self.chat.members.get(person.id, member(person.about, "left"))
        self.add(person)
        self._tell_member("chat_member", old, self.chat.members[person.id], by or person)
        return self._service({"new_chat_members": [person.about]}, by or person)

    async def leave(self, person: Person) -> Json:
        """Somebody goes."""
        old = self.chat.members.pop(person.id, member(person.about, "member"))
        self._tell_member("chat_member", old, member(person.about, "left"), person)
        return self._service({"left_chat_member": person.about}, person)

    def _tell_member(self, kind: str, old: Json, new: Json, by: Person) -> None:
        event = {"chat": self.chat.describe(), "from": by.about, "date": int(self.world.now())}
        self.world.tell(kind, event | {"old_chat_member": old, "new_chat_member": new}, ("member", self.id))

    async def rename(self, title: str, by: Person) -> Json:
        """The group gets another title."""
        self.chat.about["title"] = title
        return self._service({"new_chat_title": title}, by)

    async def pin(self, message: Json, by: Person) -> Json:
        """Somebody pins a message."""
        self.chat.pinned.append(message["message_id"])
        return self._service({"pinned_message": message}, by)

    async def create_topic(self, name: str, by: Person) -> Topic:
        """Somebody opens a topic."""
        topic = make_topic(self.world, self.chat, name, by.about, ICON_COLORS[0], None)
        self.world.tell("message", self.chat.messages[topic.id], ("chat", self.id))
        return topic

    async def close_topic(self, thread: int, by: Person, *, closed: bool = True) -> Json:
        """Somebody closes a topic, or opens it again."""
        topic = self.chat.topic(thread)
        topic.closed = closed
        place = {"message_thread_id": topic.id, "is_topic_message": True}
        return self._service({"forum_topic_closed" if closed else "forum_topic_reopened": {}} | place, by)

    async def delete_topic(self, thread: int) -> None:
        """Somebody deletes a topic; Telegram tells the bot nothing."""
        remove_topic(self.world, self.chat, self.chat.topic(thread))

    async def kick_bot(self, by: Person) -> None:
        """The bot is thrown out."""
        self.chat.refuses = Refusal(403, f"bot was kicked from the {self.chat.type} chat", fated=True)
        world = self.world
        self._tell_member("my_chat_member", member(world.bot, "administrator"), member(world.bot, "kicked"), by)

    async def add_bot(self, by: Person) -> None:
        """The bot is (again) made an administrator."""
        self.chat.refuses = None
        world = self.world
        self._tell_member("my_chat_member", member(world.bot, "left"), member(world.bot, "administrator"), by)

    async def migrate(self, by: Person, new_id: int | None = None) -> "Group":
        """A basic group becomes a supergroup with another id; the old one refuses and names it."""
        new_id = new_id or -(10**12) - next(self.world.numbers) - 500000
        chat = Chat(new_id, "supergroup", dict(self.chat.about), last_id=1)
        moved = Group(self.world, chat)
        chat.members = dict(self.chat.members)
        self._service({"migrate_to_chat_id": new_id}, by)
        self.chat.migrated_to = new_id
        moved._service({"migrate_from_chat_id": self.id}, by)
        return moved
