"""The notifier: turns notices into rows of the outbox, just in time. It decides messenger, language, hours and silence."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session

from bot.attaching import files_for, fit_together, medium
from bot.channels import CodeChannel
from bot.messengers.messenger import PAID, Messenger
from handlers.chat.notices import render
from handlers.chat.points import account, card_of
from handlers.chat.staff_news import leading
from handlers.chat.told import Told
from handlers.chat.voice import Voice
from handlers.pictures.card import HEIGHT as CARD_HEIGHT
from handlers.pictures.card import WIDTH as CARD_WIDTH
from handlers.pictures.card import Card, draw_card
from handlers.words import words
from loyalty.customers import customers
from loyalty.outreach import consents, manners
from loyalty.outreach.manners import Reason
from store import media, notices, shops, staff
from store.clock import now
from store.engine import Store
from store.errors import RuleError
from store.ids import Ids
from store.notices import Notice
from store.outbox import Call, Purpose, put

BATCH = 50
LOOK_SECONDS = 1.0
SILENT_FROM, SILENT_UNTIL = 22, 7
"""Service notices come without a sound in these hours of the shop's day."""
SEND = {
    "photo": "sendPhoto", "voice": "sendVoice", "audio": "sendAudio", "video": "sendVideo", "document": "sendDocument",
}  # fmt: skip

CARE_KEEPS = timedelta(days=3)
"""How long it is tried again with who has heard enough today."""
LATER = "later"
"""Instead of calls: a file that goes along is still being fetched."""
FILES_AGAIN = timedelta(seconds=1)

WITH_CARD = ("tier_up",)
"""Kinds of notices that come with the customer's new card."""

log = structlog.get_logger()
Skipped = Callable[[Session, int, str], None]


class Notifier:
    """Looks for due notices whenever one is written, and each second."""

    def __init__(
        self,
        store: Store,
        messengers: Mapping[str, Messenger],
        *,
        pushed: Callable[[list[Call]], None],
        codes: CodeChannel,
        root: str,
        skipped: Mapping[str, Skipped],
    ) -> None:
        """`root`: the pages' address on the internet; empty where there is none, and no button leads to one."""
        self._store = store
        self._messengers = messengers
        self._pushed = pushed
        self._codes = codes
        self._root = root
        self._skipped = skipped

    async def run(self) -> None:
        """Queue what is due, for ever."""
        async with self._store.hub.listen("notices") as heard:
            while True:
                while await self.turn():
                    pass
                await heard.within(LOOK_SECONDS)

    async def turn(self) -> int:
        """One batch in one transaction; how many notices it held."""
        async with self._store.work() as work:
            if not await work.read(notices.any_due):
                return 0
            cards = await self._cards(await work.read(self._to_draw))
            count, calls, codes = await work.write(self._queue, cards)
            if calls:
                work.after_commit.append(lambda: self._pushed(calls))
        for phone, code in codes:
            self._codes(phone, code)
        return count

    def _to_draw(self, session: Session) -> list[tuple[int, Card]]:
        """The cards that go along with due notices, by the notices' numbers; of whom there is none, the words go alone."""
        found = []
        for number, customer_id, shop_id in notices.waiting(session, WITH_CARD, BATCH):
            with suppress(RuleError):
                customer = customers.get(session, customer_id)
                if any(identity.reachable for identity in customers.identities_of(session, customer.id)):
                    shop = shops.get(session, shop_id or customer.home_shop_id or shops.every(session)[0].id)
                    held = account(session, customer.id, shop.timezone)
                    found.append((number, card_of(words(customer.language), shop, customer, held)))
        return found

    @staticmethod
    async def _cards(wanted: list[tuple[int, Card]]) -> dict[int, bytes]:
        """Draw before the store's pen is taken. A card that can't be drawn holds up no message."""
        drawn = {}
        for number, card in wanted:
            try:
                drawn[number] = await asyncio.to_thread(draw_card, card)
            except ValueError:
                log.exception("a card could not be drawn", notice=number)
        return drawn

    def _queue(self, session: Session, cards: Mapping[int, bytes]) -> tuple[int, list[Call], list[tuple[str, str]]]:
        due = notices.due(session, BATCH)
        queued: list[int] = []
        calls: list[Call] = []
        codes: list[tuple[str, str]] = []
        for notice in due:
            if notice.kind == "phone_code":
                codes.append((str(notice.params["phone"]), str(notice.params["code"])))
                notices.settle(session, [notice.id], "queued")
                continue
            if notice.id in cards:
                notice.params["card"] = media.keep(session, cards[notice.id], "image/png", CARD_WIDTH, CARD_HEIGHT)
            try:
                made = self._calls(session, notice)
            except (LookupError, TypeError, ValueError, RuleError):
                # What can't be put into words is set aside: those behind it are still to be told.
                log.exception("a notice could not be put into words", kind=notice.kind, id=notice.id)
                made = "no words"
            if made == LATER and notice.rule and notice.subject is not None:
                notices.postpone(session, notice.rule, notice.subject, now(session) + FILES_AGAIN)
                continue
            if isinstance(made, datetime):
                notices.put_off(session, notice.id, made)
                continue
            if isinstance(made, str):
                notices.settle(session, [notice.id], "skipped", made)
                if notice.rule and notice.subject is not None and notice.rule in self._skipped:
                    self._skipped[notice.rule](session, notice.subject, made)
                continue
            calls.extend(made)
            queued.append(notice.id)
        if queued:
            notices.settle(session, queued, "queued")
        if calls:
            put(session, calls)
        return len(due), calls, codes

    def _calls(self, session: Session, notice: Notice) -> list[Call] | str | datetime:
        """The calls that tell it, or the reason why nobody is told, or until when it waits."""
        if notice.staff_id is not None:
            return self._to_staff(session, notice, notice.staff_id)
        if notice.customer_id is None:
            return "nobody"
        customer = customers.get(session, notice.customer_id)
        reachable = [
            identity for identity in customers.identities_of(session, customer.id)
            if identity.reachable and identity.account in self._messengers
        ]  # fmt: skip
        if not reachable:
            return "no messenger"
        if notice.purpose >= Purpose.CARE:
            stand = consents.allows(session, [customer.id], notice.purpose)[customer.id]
            reachable = [identity for identity in reachable if stand.on(identity.account.partition(":")[0])]
            if not reachable:
                return Reason.OPTED_OUT.value
            later = self._later(session, notice, customer.id)
            if later is not None:
                return later
        voice = Voice(words(customer.language), customer.address, customer.name)
        told = render(notice.kind, voice, notice.params)
        if told is None:
            return "no words"
        if told.changes:
            return self._changes(session, notice, told)
        to = (reachable[0].account, reachable[0].chat_id)
        files = files_for(session, to[0], told.files)
        if files is None or isinstance(files, str):
            return LATER if files is None else files
        return calls_of(
            replace(told, files=files), to, purpose=notice.purpose, rule=notice.rule, subject=notice.subject,
            silent=self._silent(session, notice), ids=session.info["ids"], albums=self._messengers[to[0]].albums,
        )  # fmt: skip

    @staticmethod
    def _later(session: Session, notice: Notice, customer_id: int) -> datetime | str | None:
        """Until when care waits: for the shop's hours, or because they have heard enough today; after some days it is given
        up. None for now.
        """
        shop = shops.get(session, notice.shop_id) if notice.shop_id else shops.first(session)
        zone = shop.timezone if shop else "UTC"
        until = manners.waits(session, customer_id, notice.purpose, zone, manners.rules(session))
        return Reason.CAP.value if until is not None and now(session) - notice.at > CARE_KEEPS else until

    def _to_staff(self, session: Session, notice: Notice, staff_id: int) -> list[Call] | str:
        """The same to a member of staff, in the messenger that they have tied."""
        # Between two people a chat's number is that of the other one.
        bound = [to for to in staff.accounts_of(session, staff_id) if to[0] in self._messengers]
        if not bound:
            return "no messenger"
        member = staff.get(session, staff_id)
        voice = Voice(words(member.language), None, member.name)
        told = render(notice.kind, voice, notice.params)
        if told is None:
            return "no words"
        if self._root and (ticket := notice.params.get("ticket")):
            told = leading(told, voice.words, f"{self._root}/desk/{ticket}")
        return calls_of(
            told, bound[0], purpose=notice.purpose, rule=notice.rule, subject=notice.subject,
            silent=self._silent(session, notice), ids=session.info["ids"], albums=self._messengers[bound[0][0]].albums,
        )  # fmt: skip

    def _changes(self, session: Session, notice: Notice, told: Told) -> list[Call] | str:
        """What is done to messages that are there already, wherever they are."""
        calls = []
        for change in told.changes:
            if change.account in self._messengers:
                params = {"chat_id": change.chat, "message_id": change.message, **change.params}
                calls.append(
                    Call(
                        id=session.info["ids"].new(), account=change.account, chat=change.chat, method=change.method,
                        payload=json.dumps(params, ensure_ascii=False), purpose=int(notice.purpose), rule=notice.rule,
                        subject=notice.subject,
                    )
                )  # fmt: skip
        return calls or "no messenger"

    @staticmethod
    def _silent(session: Session, notice: Notice) -> bool:
        if notice.purpose is not Purpose.SERVICE:
            return False
        shop = shops.get(session, notice.shop_id) if notice.shop_id else shops.first(session)
        return shop is not None and in_silence(now(session), shop.timezone)


def in_silence(at: datetime, zone: str) -> bool:
    """Whether it is between 22:00 and 07:00 on the zone's clock."""
    hour = at.astimezone(ZoneInfo(zone)).hour
    return hour >= SILENT_FROM or hour < SILENT_UNTIL


def calls_of(
    told: Told,
    to: tuple[str, int],
    *,
    purpose: Purpose,
    ids: Ids,
    rule: str | None = None,
    subject: int | None = None,
    silent: bool = False,
    albums: bool = False,
    paid: bool = False,
) -> list[Call]:
    """One call for each file, `to` (account, chat), the words as the first one's caption where they fit, else before them;
    one for all of them where the messenger has `albums` and they fit into one. `paid`: they may leave faster than is free.
    """
    account, chat = to
    said: dict[str, Any] = {} if told.plain else {"parse_mode": "HTML"}
    if silent:
        said["disable_notification"] = True
    quoted = next((at["message"] for at in told.quotes if (at["account"], at["chat"]) == to), None)
    reply = (
        {"reply_parameters": {"message_id": quoted, "allow_sending_without_reply": True}} if quoted is not None else {}
    )
    markup = (
        {"reply_markup": told.buttons.model_dump(exclude_none=True, warnings=False)} if told.buttons is not None else {}
    )
    payloads: list[tuple[str, dict[str, Any]]] = []
    caption = told.text if told.files and len(told.text) <= 1024 else ""
    if told.text and not caption:
        text = {"text": told.text, "link_preview_options": {"is_disabled": True}}
        payloads.append(("sendMessage", {**text, **said, **markup, **reply}))
    album = albums and not markup and fit_together(told.files)
    if album:
        items = [{"type": file["kind"], "media": medium(file)} for file in told.files]
        if caption:
            items[0] |= {"caption": caption, **({} if told.plain else {"parse_mode": "HTML"})}
        silently = {"disable_notification": True} if silent else {}
        payloads.append(("sendMediaGroup", {"media": items, **silently, **({} if payloads else reply)}))
    for index, file in enumerate([] if album else told.files):
        kind = file["kind"] if file["kind"] in SEND else "document"
        params: dict[str, Any] = {kind: medium(file)}
        if index == 0 and caption:
            params |= {"caption": caption, **markup}
        if index == 0 and not payloads:
            params |= reply
        payloads.append((SEND[kind], {**params, **said}))
    speed = {PAID: True} if paid else {}
    # Each of them tells the rule how it ended: words may arrive, and a file beside them not.
    return [
        Call(
            id=ids.new(), account=account, chat=chat, method=method,
            payload=json.dumps({"chat_id": chat, **params, **speed}, ensure_ascii=False), purpose=int(purpose),
            rule=rule, subject=subject if rule is not None else None,
        )
        for method, params in payloads
    ]  # fmt: skip
