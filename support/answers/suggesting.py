"""Suggesting: the macros and articles that fit what the customer said last, for who is about to answer."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.staff import Member
from support import tickets
from support.answers import articles, asking, macros, matching, rendering
from support.answers.macros import Macro
from support.answers.matching import Entry
from support.messages import CUSTOMER, ticket_messages

NEAR = 0.22
"""A person chooses among suggestions, so they may be wider of the mark than the bot's own answer."""
MOST = 3


@dataclass(frozen=True, slots=True)
class Suggested:
    """An article for the ticket's customer, in their language: `text` is what goes into the composer."""

    article_id: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What fits, the best first; `seq` is the message that it fits."""

    seq: int
    macros: list[Macro]
    articles: list[Suggested]


def suggest(session: Session, ticket_id: int, member: Member) -> Suggestions:
    """What fits a ticket's last words of the customer. Raises as tickets.view."""
    ticket = tickets.view(session, ticket_id, member)
    m = ticket_messages.c
    last = session.execute(
        select(m.seq, m.text).where(m.ticket_id == ticket_id, m.who == CUSTOMER, m.text != "")
        .order_by(m.seq.desc()).limit(1)
    ).first()  # fmt: skip
    if last is None:
        return Suggestions(0, [], [])
    usable = {one.id: one for one in macros.visible(session, ticket.shop_id, member)}
    shelf = {one.id: one for one in articles.published(session, ticket.shop_id)}
    near_macros = matching.ranked(
        last.text, [Entry(one.id, (one.name,), " ".join(one.texts.values())) for one in usable.values()], MOST
    )
    near_articles = matching.ranked(last.text, [asking.entry_of(one) for one in shelf.values()], MOST)
    language = ticket.language or "vi"
    return Suggestions(
        last.seq, [usable[found.id] for found in near_macros if found.score >= NEAR],
        [_suggested(shelf[found.id], language) for found in near_articles if found.score >= NEAR],
    )  # fmt: skip


def _suggested(article: articles.Article, language: str) -> Suggested:
    title, body = article.wording.told(language)
    return Suggested(article.id, title, rendering.plain(body))
