"""The mirror: one ticket's topic in the team's forum brought up to date, as calls ready to leave."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from handlers.chat import forum_lines, forum_words
from handlers.chat.forum_lines import Line, Unit
from handlers.words import Words, words
from store import forum, shops
from store.clock import now
from store.errors import NotFoundError
from store.forum import QUEUED, RULE, THERE, Forum, Post, Topic, posts, topics
from store.outbox import Call, Purpose, put
from support import tickets
from support.duties import accesses
from support.messages import AGENT
from support.tickets import State, Ticket

UNITS_MAX = 5
"""What is shown message by message where a ticket has more; what was said before that is summed up in one."""
AGAIN = "again"
"""A post that was sent a second time, with a mark that says so: once is enough."""
SHOWING = ("line", "typed", AGAIN)
"""Kinds of posts that show a message of the ticket."""

Settled = Callable[[int, int], bool]
"""Whether an album of a ticket, whose last line has this number, has had time to come whole."""


class Showing:
    """One ticket's topic, as far as it is brought up to date now."""

    def __init__(self, session: Session, group: Forum, topic: Topic) -> None:
        self._session = session
        self._group = group
        self._topic = topic
        self._calls: list[Call] = []
        try:
            self._ticket: Ticket | None = tickets.get(session, topic.ticket_id)
        except NotFoundError:
            self._ticket = None
            return
        shop = shops.get(session, self._ticket.shop_id)
        self._zone = shop.timezone
        self._said: Words = words(shop.language)

    def lines(self, room: int, settled: Settled) -> list[Call]:
        """What was said since, and what changed of what is shown."""
        ticket = self._ticket
        if ticket is None:
            self._update(behind_at=None, undressed_at=None)
            return []
        found = forum_lines.changed(self._session, ticket.id, self._topic.shown)
        known = forum.posts_of(self._session, ticket.id, [line.id for line in found])
        units = forum_lines.units([line for line in found if line.id not in known and line.says_something])
        if units and not settled(ticket.id, units[-1].lines[-1].seq if units[-1].album else 0):
            return []
        if not units and not self._topic.name and ticket.state not in tickets.ACTIVE:
            self._update(behind_at=None, shown=ticket.changed)
            return []
        self._begin(ticket)
        late = [self._refresh(line, known[line.id]) for line in found if line.id in known]
        if len(units) > UNITS_MAX:
            self._sum_up(units[:-UNITS_MAX])
            units = units[-UNITS_MAX:]
        for unit in units:
            if len(self._calls) >= room:
                return self._calls
            self._unit(unit)
        self._lock(ticket)
        if not any(late):
            self._update(shown=ticket.changed, behind_at=None)
        return self._calls

    def dress(self) -> list[Call]:
        """The card, the name and the lock, where they differ from how the ticket stands."""
        ticket = self._ticket
        self._update(undressed_at=None)
        if ticket is None:
            return []
        card = forum.card_of(self._session, ticket.id)
        text = forum_words.card(self._session, self._said, ticket)
        buttons = forum_words.buttons(self._said, ticket).model_dump(exclude_none=True, warnings=False)
        if card is None:
            self._card(text, buttons)
        elif card.state == QUEUED:
            self._update(undressed_at=now(self._session))
        elif text != self._topic.card:
            self._seen(ticket)
            self._update(card=text)
            self._look(
                "editMessageText",
                placed=False,
                message_id=card.number,
                text=text,
                reply_markup=buttons,
                parse_mode="HTML",
            )
        name = forum_words.name(self._session, ticket)
        if name != self._topic.name:
            self._update(name=name)
            self._look("editForumTopic", name=name)
        self._lock(ticket)
        return self._calls

    # ── Inside ─────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, ticket: Ticket) -> None:
        """A topic begins with its card: the call that sends it makes the topic."""
        if not self._topic.name:
            name = forum_words.name(self._session, ticket)
            self._update(name=name)
            self._topic = replace(self._topic, name=name)
        if self._topic.thread is None and forum.card_of(self._session, ticket.id) is None:
            self._card(
                forum_words.card(self._session, self._said, ticket),
                forum_words.buttons(self._said, ticket).model_dump(exclude_none=True, warnings=False),
            )

    def _lock(self, ticket: Ticket) -> None:
        """A solved ticket's topic is closed, one that is open again is opened."""
        closed = ticket.state in {State.RESOLVED, State.CLOSED}
        if closed != self._topic.closed:
            self._update(closed=closed)
            self._look("closeForumTopic" if closed else "reopenForumTopic", purpose=Purpose.SERVICE)

    def _card(self, text: str, buttons: dict[str, Any]) -> None:
        assert self._ticket is not None
        self._seen(self._ticket)
        self._update(card=text)
        self._say("card", "sendMessage", {"text": text, "reply_markup": buttons, **HTML, **_QUIET, **_NO_PREVIEW})

    def _seen(self, ticket: Ticket) -> None:
        """A card shows a customer to all who are in the group."""
        accesses.note(self._session, accesses.FORUM, ticket.customer_id, ticket.shop_id, "forum")

    def again(self) -> None:
        """A topic that was gone begins anew: its card, and what was last said in one message, before anything else."""
        ticket = self._ticket
        if ticket is None:
            return
        buttons = forum_words.buttons(self._said, ticket).model_dump(exclude_none=True, warnings=False)
        text = forum_words.card(self._session, self._said, ticket)
        self._seen(ticket)
        self._update(card=text, undressed_at=now(self._session))
        self._say(
            "card", "sendMessage", {"text": text, "reply_markup": buttons, **HTML, **_QUIET, **_NO_PREVIEW},
            purpose=Purpose.REPLY,
        )  # fmt: skip
        before = forum_lines.shown_before(self._session, ticket.id)
        if before:
            text = forum_words.summary(
                self._said, [line.mention(self._said, self._zone) for line in before], again=True
            )
            self._say("summary", "sendMessage", {"text": text, **HTML, **_QUIET, **_NO_PREVIEW}, purpose=Purpose.REPLY)
        put(self._session, self._calls)

    def _sum_up(self, units: Sequence[Unit]) -> None:
        lines = [line for unit in units for line in unit.lines]
        text = forum_words.summary(self._said, [line.mention(self._said, self._zone) for line in lines], again=False)
        self._say("line", "sendMessage", {"text": text, **HTML, **_NO_PREVIEW}, lines)

    def _unit(self, unit: Unit) -> None:
        answered = self._answered(unit.lines[0])
        for place, send in enumerate(forum_lines.sends(self._said, unit, self._group.account)):
            self._say("line", send.method, {**send.params, **(answered if place == 0 else {})}, send.lines)
        for line in unit.lines:
            self._deliveries(line, None)

    def _answered(self, line: Line) -> dict[str, Any]:
        """What a message quotes, where that stands in the topic."""
        if line.reply_to is None:
            return {}
        quoted = forum_lines.number_of(self._session, line.ticket_id, line.reply_to)
        if quoted is None:
            return {}
        return _reply(next(
            (post for post in forum.posts_of(self._session, line.ticket_id, [quoted]).get(quoted, [])
             if post.state in {THERE, QUEUED} and post.kind in SHOWING),
            None,
        ))  # fmt: skip

    def _refresh(self, line: Line, shown: list[Post]) -> bool:
        """Show what changed of a message that is shown; whether that has to wait until it is there."""
        showing = [post for post in shown if post.kind in SHOWING]
        there = [post for post in showing if post.state in {THERE, QUEUED}] or showing[-1:]
        if not there:
            return False
        post = there[0]
        if post.state == QUEUED:
            return line.looks != post.said
        self._deliveries(line, shown)
        before, after = _looks(post.said), _looks(line.looks)
        if before == after:
            return False
        if (before["edited"], before["deleted"]) != (after["edited"], after["deleted"]):
            self._reword(line, there, deleted=after["deleted"] is not None)
        if before["reaction"] != after["reaction"] and post.state == THERE:
            reaction = [{"type": "emoji", "emoji": after["reaction"]}] if after["reaction"] else []
            self._look("setMessageReaction", message_id=post.number, reaction=reaction, placed=False)
        for one in there:
            self._session.execute(update(posts).where(posts.c.id == one.id).values(said=line.looks))
        return False

    def _reword(self, line: Line, there: list[Post], *, deleted: bool) -> None:
        """The message has other words, or was taken back: ours is changed, what can't be is said below it."""
        top = forum_words.head(self._said, line.who, line.staff)
        mark = self._said("🗑 taken back") if deleted else self._said("✎ edited")
        text = "\n".join([*forum_words.spoken(top, line.text)[:1], f"<i>{mark}</i>"])
        alone = (
            len(there) == 1 and there[0].kind == "line" and there[0].state == THERE
            and not forum_lines.shares(self._session, there[0])
        )  # fmt: skip
        if alone and not line.files and line.location is None:
            params = {"message_id": there[0].number, "text": text, **HTML, **_NO_PREVIEW}
            self._look("editMessageText", **params, purpose=Purpose.SERVICE, placed=False)
        elif alone and len(line.files) == 1 and len(line.text) <= forum_lines.CAPTION_CHARS_MAX:
            self._look(
                "editMessageCaption", message_id=there[0].number, caption=text, **HTML, purpose=Purpose.SERVICE,
                placed=False,
            )  # fmt: skip
        else:
            self._say("told", "sendMessage", {"text": text, **HTML, **_NO_PREVIEW, **_reply(there[0])}, [line])

    def _deliveries(self, line: Line, shown: list[Post] | None) -> None:
        """Tell in the topic how a message to the customer failed, and when it arrived after all."""
        if line.who != AGENT:
            return
        told = [post for post in shown or [] if post.kind == "failed" and post.state in {QUEUED, THERE}]
        if line.state in {"failed", "unknown"} and not any(post.said == line.state for post in told):
            text = forum_words.undelivered(self._said, line.state, line.reason)
            retry = forum_words.retry_button(self._said, line.ticket_id, line.id)
            below = next((post for post in shown or [] if post.kind in SHOWING), None)
            params = {"text": text, "reply_markup": retry.model_dump(exclude_none=True, warnings=False), **HTML}
            self._say("failed", "sendMessage", {**params, **_reply(below)}, [line], said=line.state)
        elif line.state in {"sent", "queued"} and told:
            ids = [post.id for post in told]
            self._session.execute(update(posts).where(posts.c.id.in_(ids)).values(kind="told"))
            if line.state == "sent" and told[-1].number is not None:
                text = self._said("✓ It has reached the customer now.")
                self._look("editMessageText", message_id=told[-1].number, text=text, placed=False)

    def _look(self, method: str, *, purpose: Purpose = Purpose.CARE, placed: bool = True, **params: Any) -> None:
        """Change how something looks; it may wait."""
        self._say("look", method, params, purpose=purpose, placed=placed)

    def _say(
        self,
        kind: str,
        method: str,
        params: dict[str, Any],
        lines: Sequence[Line] = (),
        *,
        purpose: Purpose = Purpose.SERVICE,
        placed: bool = True,
        said: str | None = None,
    ) -> None:
        """One call, and which of the ticket's messages it shows."""
        ticket_id = self._topic.ticket_id
        payload: dict[str, Any] = {"chat_id": self._group.chat}
        if placed:
            payload["message_thread_id"] = {"$ticket": ticket_id}
        call = Call(
            id=self._session.info["ids"].new(), account=self._group.account, chat=self._group.chat, method=method,
            payload=json.dumps({**payload, **params}, ensure_ascii=False), purpose=int(purpose), rule=RULE,
            subject=ticket_id,
        )  # fmt: skip
        self._calls.append(call)
        for line in lines:
            forum.post(
                self._session, self._group, ticket_id, kind, message_id=line.id, call=call.id,
                said=line.looks if said is None else said,
            )  # fmt: skip
        if not lines:
            forum.post(self._session, self._group, ticket_id, kind, call=call.id)

    def _update(self, **values: Any) -> None:
        self._session.execute(update(topics).where(topics.c.ticket_id == self._topic.ticket_id).values(**values))


HTML = {"parse_mode": "HTML"}
_QUIET = {"disable_notification": True}
_NO_PREVIEW = {"link_preview_options": {"is_disabled": True}}


def _looks(said: str) -> dict[str, Any]:
    return {"edited": None, "deleted": None, "reaction": None, **(json.loads(said) if said else {})}


def _reply(post: Post | None) -> dict[str, Any]:
    """What makes a message an answer to one in the topic, whether that is there or still on its way."""
    if post is None or post.state not in {THERE, QUEUED}:
        return {}
    number = post.number if post.number is not None else -(post.call or 0)
    return {"reply_parameters": {"message_id": number, "allow_sending_without_reply": True}} if number else {}
