"""Intake: one update, one work. The update's row, what the handlers change and every call they cause commit together.

Updates of one chat run one after the other: by a lock in this process, by the conversation's version between replicas. A
race runs the handler again, three times; a handler that raises anything else is rolled back and kept as a dead letter, and
the person gets one line of apology.
"""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiogram import Bot, Dispatcher
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State
from aiogram.fsm.storage.base import BaseStorage, StateType, StorageKey
from aiogram.types import Update
from sqlalchemy.orm import Session

from bot.messengers.messenger import Messenger
from bot.outgoing import OutboxSession, outbox_bot
from handlers.chat.talk import Talk
from handlers.words import LANGUAGES, words
from loyalty.customers import customers
from loyalty.customers.customers import Person
from store import closing, conversations, inbox, media, outbox, shops
from store.base import raw
from store.conversations import Conversation, ConversationKey
from store.engine import Store, Work
from store.errors import MovedError, StoreUnreachableError
from store.media import File
from store.outbox import Call
from store.shops import Shop

RERUNS = 3
"""How often a handler runs again after a race."""
ID_MAX = 2**63
KINDS = frozenset(Update.model_fields) - {"update_id"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Address:
    """Whose an update is, read from its raw form."""

    kind: str
    chat_id: int
    user_id: int
    thread_id: int
    private: bool
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class _Opening:
    """What every update needs to know first, in one look."""

    state: str | None
    conversation: Conversation
    person: Person | None
    shop: Shop | None


class Intake:
    """Takes updates in for every messenger account."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        messengers: Sequence[Messenger],
        *,
        pushed: Callable[[list[Call]], None],
        links: Callable[[str], list[tuple[str, str]]],
        files: Callable[[str, Any], list[File]],
        demo: bool = False,
        codes: bool = False,
    ) -> None:
        self._store = store
        self._dispatcher = on_the_loop(dispatcher)
        self._messengers: Mapping[str, Messenger] = {messenger.account: messenger for messenger in messengers}
        self._pushed = pushed
        self._links = links
        self._files = files
        self._demo = demo
        self._codes = codes
        self._locks: dict[tuple[str, int], list[asyncio.Future[None]]] = {}

    async def take(
        self,
        account: str,
        key: str,
        raw: dict[str, Any],
        body: str | None = None,
        *,
        replayed: bool = False,
    ) -> bool:
        """Take one update in; returns after its commit: True when it was handled now, False when it was known, ignored or
        kept as a dead letter.

        Raises StoreUnreachableError: nothing of it stands, it is to come again.
        """
        messenger = self._messengers[account]
        address = address_of(raw)
        if address is None:
            await self._ignore(account, key, raw, body)
            return False
        text = body if body is not None else text_of(raw)
        async with self._in_turn(account, address.chat_id):
            try:
                for attempt in range(1 + RERUNS):
                    try:
                        return await self._work(messenger, key, raw, text, address, replayed=replayed)
                    except MovedError:
                        log.info("another replica was faster", account=account, key=key, attempt=attempt)
                raise MovedError("the conversation moved each time")  # noqa: TRY301  # to be buried below
            except StoreUnreachableError:
                raise
            except Exception as error:
                log.exception("a handler failed", account=account, key=key)
                await self._bury(messenger, key, text, address, error)
                return False

    async def replay(self, account: str, key: str) -> bool:
        """Run a dead letter's handler again; whether it went through now. Raises NotFoundError."""
        letter = await self._store.read(inbox.dead_letter, account, key)
        return await self.take(account, key, json.loads(letter.body), letter.body, replayed=True)

    @asynccontextmanager
    async def _in_turn(self, account: str, chat_id: int) -> AsyncIterator[None]:
        """One update of a chat at a time, in the order in which they came."""
        lock = (account, chat_id)
        waiting = self._locks.get(lock)
        if waiting is None:
            self._locks[lock] = []
        else:
            turn = asyncio.get_running_loop().create_future()
            waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._next(lock)
                else:
                    waiting.remove(turn)
                raise
        try:
            yield
        finally:
            self._next(lock)

    def _next(self, lock: tuple[str, int]) -> None:
        waiting = self._locks[lock]
        while waiting:
            turn = waiting.pop(0)
            if not turn.done():
                turn.set_result(None)
                return
        del self._locks[lock]

    async def _work(
        self,
        messenger: Messenger,
        key: str,
        raw: dict[str, Any],
        body: str,
        address: Address,
        *,
        replayed: bool,
    ) -> bool:
        conversation_key = ConversationKey(messenger.bot_id, address.chat_id, address.user_id, address.thread_id)
        async with self._store.work() as work:
            opening = await work.read(_open, messenger.account, key, conversation_key)
            if opening.state == "done" or (opening.state == "dead" and not replayed):
                return False
            session = OutboxSession(self._store, messenger.account, messenger.me())
            bot = outbox_bot(messenger.token, session)
            update = Update.model_validate(raw, context={"bot": bot})
            await self._handle(work, messenger, update, bot, address, opening)
            if session.kept or replayed:
                await work.write(
                    _close, messenger.account, key, address.chat_id, body, opening.conversation, session, replayed
                )
            else:
                await work.last(
                    closing.close, messenger.account, key, address.chat_id, body, opening.conversation, session.calls
                )
            if session.calls:
                work.after_commit.append(lambda: self._pushed(session.calls))
        return True

    async def _handle(
        self, work: Work, messenger: Messenger, update: Update, bot: Bot, address: Address, opening: _Opening
    ) -> None:
        shop = opening.shop
        if shop is None or not address.user_id:
            return
        person = opening.person
        if person is None and address.private:
            # A first contact is met before the work begins: meeting twice does no harm, and no picture is drawn with the
            # pen in hand.
            person = await self._store.write(
                customers.meet, messenger.account, address.user_id, address.chat_id, name=address.name,
                language=address.language or shop.language, shop_id=shop.id,
            )  # fmt: skip
        elif person is not None and person.stale and address.private and address.kind != "my_chat_member":
            await self._store.write(customers.seen, messenger.account, address.user_id)
        storage = _Memory(opening.conversation)
        key = StorageKey(bot_id=messenger.bot_id, chat_id=address.chat_id, user_id=address.user_id)
        talk = None
        if person is not None:
            talk = Talk(
                work=work, account=messenger.account, user_id=address.user_id, can=messenger.can, link=messenger.link,
                links=self._links, write_own=self._store.write, person=person, words=words(person.language), shop=shop, at=self._store.clock.now(),
                demo=self._demo, first=not opening.conversation.version, codes=self._codes, files=lambda message: self._files(messenger.account, message),
            )  # fmt: skip
        await self._dispatcher.feed_update(
            bot, update, talk=talk, work=work, account=messenger.account, state=FSMContext(storage, key),
            raw_state=opening.conversation.state, files=lambda message: self._files(messenger.account, message),
        )  # fmt: skip

    async def _ignore(self, account: str, key: str, raw: dict[str, Any], body: str | None) -> None:
        log.warning("an update of a kind nobody knows", account=account, key=key, fields=sorted(raw)[:5])
        text = body if body is not None else text_of(raw)
        await self._store.write(inbox.record_done, account, key, None, text)

    async def _bury(self, messenger: Messenger, key: str, body: str, address: Address, error: Exception) -> None:
        """Keep the update as a dead letter and apologise, once."""
        told = storable("".join(traceback.format_exception(error))[-4000:])
        session = OutboxSession(self._store, messenger.account, messenger.me())
        async with self._store.work() as work:
            first = await work.write(inbox.record_dead, messenger.account, key, address.chat_id, body, told)
            if first and address.private:
                person = await work.read(customers.identify, messenger.account, address.user_id)
                language = person.language if person else address.language
                said = words(language or LANGUAGES[0])
                bot = outbox_bot(messenger.token, session)
                await bot.send_message(
                    address.chat_id,
                    said("Sorry, something went wrong on our side. We've noted it and will look into it."),
                )
                await work.write(outbox.put, session.calls)
                work.after_commit.append(lambda: self._pushed(session.calls))


_LOOK = (
    f"SELECT i.state, {conversations.COLUMNS}, {customers.PERSON}, {shops.COLUMNS} FROM (SELECT 1 AS one) look "  # noqa: S608
    f"LEFT JOIN inbox i ON i.account = ? AND i.key = ? {conversations.JOIN} {customers.PERSON_JOIN} {shops.FIRST_JOIN}"
)
"""In one statement: on PostgreSQL each is a way to the database and back."""
_SHOP_AT = -len(Shop.__dataclass_fields__)


def _open(session: Session, account: str, key: str, conversation_key: ConversationKey) -> _Opening:
    values = (account, key, *conversation_key, account, conversation_key.user_id)
    [(state, talked, data, version, *row)] = raw(session, _LOOK, values)
    person, shop = row[:_SHOP_AT], row[_SHOP_AT:]
    return _Opening(
        state,
        conversations.of(conversation_key, talked, data, version),
        customers.person_of(session, person),
        None if shop[0] is None else Shop(*shop),
    )


def _close(
    session: Session,
    account: str,
    key: str,
    chat_id: int,
    body: str,
    conversation: Conversation,
    sent: OutboxSession,
    replayed: bool,
) -> None:
    """The end of a work: the update's row, the conversation and the calls. Raises MovedError when another replica has
    handled this update or moved the conversation.
    """
    for content, mime, width, height in sent.kept:
        media.keep(session, content, mime, width, height)
    if not replayed:
        closing.close(session, account, key, chat_id, body, conversation, sent.calls)
        return
    if not inbox.record_replayed(session, account, key):
        raise MovedError("update")
    conversations.save(session, conversation)
    outbox.put(session, sent.calls)


def text_of(raw: dict[str, Any]) -> str:
    """An update as JSON that every database takes."""
    text = json.dumps(raw, ensure_ascii=False)
    return text if storable(text) == text else json.dumps(raw)


def storable(text: str) -> str:
    """A text without what no database takes: NUL, and halves of a character."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def address_of(raw: dict[str, Any]) -> Address | None:
    """Whose an update is; None for one of a kind, or of a shape, that nobody knows."""
    try:
        return _address_of(raw)
    except (AttributeError, TypeError, KeyError):
        return None


def _address_of(raw: dict[str, Any]) -> Address | None:
    kind = next((name for name in raw if name in KINDS), None)
    if kind is None:
        return None
    event = raw[kind]
    if not isinstance(event, dict):
        return None
    user = event.get("from") or event.get("user") or {}
    holder = event if "chat" in event else event.get("message") or {}
    chat = holder.get("chat") or {}
    chat_id, user_id = chat.get("id", user.get("id", 0)), user.get("id", 0)
    if not all(isinstance(number, int) and abs(number) < ID_MAX for number in (chat_id, user_id)):
        return None
    thread = holder.get("message_thread_id") if holder.get("is_topic_message") else None
    name = " ".join(str(user[part]) for part in ("last_name", "first_name") if user.get(part))
    if (user.get("language_code") or "vi")[:2] != "vi":
        name = " ".join(str(user[part]) for part in ("first_name", "last_name") if user.get(part))
    language = str(user.get("language_code") or "")[:2].lower()
    return Address(
        kind, chat_id, user_id, thread if isinstance(thread, int) else 0, chat.get("type", "private") == "private",
        name, language if language in customers.LANGUAGES else ("en" if language else ""),
    )  # fmt: skip


def on_the_loop(dispatcher: Dispatcher) -> Dispatcher:
    """Have plain filters (`F.text`, functions) run where they stand. aiogram runs each in a thread of its own, which costs
    more than the filter and lets others run in the middle of a work.
    """
    for router in dispatcher.chain_tail:
        for observer in router.observers.values():
            own = observer._handler.filters or []  # noqa: SLF001  # the filters of the router itself have no public name
            for found in (*own, *(one for handler in observer.handlers for one in handler.filters or [])):
                if not found.awaitable:
                    found.callback, found.awaitable = _awaitable(found.callback), True
    return dispatcher


def _awaitable(plain: Callable[..., Any]) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        return plain(*args, **kwargs)

    return run


class _Memory(BaseStorage):
    """The conversation's state of one work, in memory: loaded before the handler, written at the close."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:  # noqa: ARG002
        self._conversation.state = state.state if isinstance(state, State) else state

    async def get_state(self, key: StorageKey) -> str | None:  # noqa: ARG002
        return self._conversation.state

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:  # noqa: ARG002
        self._conversation.data = dict(data)

    async def get_data(self, key: StorageKey) -> dict[str, Any]:  # noqa: ARG002
        return dict(self._conversation.data)

    async def close(self) -> None:
        return
