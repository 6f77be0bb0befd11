"""Articles: what a shop answers again and again, written once, in versions that nobody overwrites.

A version holds both languages. What customers read is the version that is published; saving makes a new one, which they
see once it is published too. Going back is saving an old one again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Select, Text, and_, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.staff import Member, Right, StaffRow

LANGUAGES = ("vi", "en")
TITLE_CHARS_MAX = 120
BODY_CHARS_MAX = 6_000
ASKED_CHARS_MAX = 2_000
PUBLISHED_MAX = 500
"""Articles that a shop may have published: each question is held against all of them."""


class Look(StrEnum):
    """What an article is to customers."""

    DRAFT = "draft"
    """They don't see it."""
    PUBLISHED = "published"
    CHANGED = "changed"
    """They see an earlier version than the newest."""


class ArticleRow(Base):
    __tablename__ = "articles"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), index=True)
    version: Mapped[int]
    """The newest."""
    published: Mapped[int | None]
    """The version that customers read."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


class ArticleVersionRow(Base):
    __tablename__ = "article_versions"

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id"), primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcTime)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    title_vi: Mapped[str] = mapped_column(Text)
    body_vi: Mapped[str] = mapped_column(Text)
    title_en: Mapped[str] = mapped_column(Text)
    body_en: Mapped[str] = mapped_column(Text)
    asked: Mapped[str] = mapped_column(Text)
    """Other ways in which customers ask for it, a line each, in any language."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a version says. `titles` and `bodies` (Markdown) are by language; one language is enough."""

    titles: Mapping[str, str] = field(default_factory=dict)
    bodies: Mapping[str, str] = field(default_factory=dict)
    asked: Sequence[str] = ()

    def told(self, language: str) -> tuple[str, str]:
        """(title, body) in a language, or in the one there is."""
        tongue = language if self.titles.get(language) else next((one for one in LANGUAGES if self.titles.get(one)), "")
        return self.titles.get(tongue, ""), self.bodies.get(tongue, "")


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    at: datetime
    by: str
    wording: Wording


@dataclass(frozen=True, slots=True)
class Article:
    """An article with the wording of one of its versions (`shown`)."""

    id: int
    shop_id: int
    version: int
    published: int | None
    updated_at: datetime
    shown: int
    wording: Wording

    @property
    def look(self) -> Look:
        if self.published is None:
            return Look.DRAFT
        return Look.PUBLISHED if self.published == self.version else Look.CHANGED


class ArticleChangedError(ConflictError):
    """Somebody saved a newer version meanwhile; nothing was overwritten."""

    code = "article_changed"

    def __init__(self, article_id: int, version: int) -> None:
        super().__init__(f"article {article_id} stands at version {version}")
        self.version = version


articles = table(ArticleRow)
versions = table(ArticleVersionRow)
_staff = table(StaffRow)
_ARTICLE = (articles.c.id, articles.c.shop_id, articles.c.version, articles.c.published, articles.c.updated_at)
_WORDING = (versions.c.title_vi, versions.c.body_vi, versions.c.title_en, versions.c.body_en, versions.c.asked)


# ── Reading ────────────────────────────────────────────────────────────────────────────────────────


def every(session: Session, shop_id: int) -> list[Article]:
    """A shop's articles in their newest versions, the last changed first."""
    rows = session.execute(
        _with_wording(articles.c.version).where(articles.c.shop_id == shop_id)
        .order_by(articles.c.updated_at.desc(), articles.c.id.desc())
    )  # fmt: skip
    return [_article(row) for row in rows]


def published(session: Session, shop_id: int) -> list[Article]:
    """What a shop's customers may be answered with, in the published versions."""
    rows = session.execute(
        _with_wording(articles.c.published).where(articles.c.shop_id == shop_id).order_by(articles.c.id)
    )
    return [_article(row) for row in rows]


def get(session: Session, article_id: int, member: Member, version: int | None = None) -> Article:
    """An article of the member's console in its newest version or the one that is named. Raises NotFoundError."""
    row = session.execute(
        _with_wording(articles.c.version if version is None else version).where(articles.c.id == article_id)
    ).first()
    if row is None or not member.may(Right.CONSOLE, row.shop_id):
        raise NotFoundError("article", article_id)
    return _article(row)


def history(session: Session, article_id: int, member: Member, limit: int = 50) -> list[Version]:
    """The versions of an article, newest first. Raises NotFoundError."""
    get(session, article_id, member)
    rows = session.execute(
        select(versions.c.version, versions.c.at, _staff.c.name, *_WORDING)
        .join(_staff, _staff.c.id == versions.c.staff_id)
        .where(versions.c.article_id == article_id)
        .order_by(versions.c.version.desc())
        .limit(limit)
    )
    return [Version(row.version, row.at, row.name, _wording(row)) for row in rows]


# ── Writing ────────────────────────────────────────────────────────────────────────────────────────


def create(session: Session, shop_id: int, wording: Wording, member: Member, *, publish: bool = False) -> int:
    """A new article; its number. Raises ForbiddenError, NotFoundError (shop), InvalidError (titles, bodies, asked,
    published).
    """
    member.need(Right.CONSOLE, shop_id)
    shops.get(session, shop_id)
    wording, at = _checked(wording), now(session)
    article_id = int(
        session.execute(
            insert(articles)
            .values(shop_id=shop_id, version=1, published=None, created_at=at, updated_at=at)
            .returning(articles.c.id)
        ).scalar_one()
    )
    _write(session, article_id, 1, wording, member)
    audit.record(session, f"staff:{member.id}", "article_created", shop_id, article=article_id, title=_title(wording))
    if publish:
        show(session, article_id, member, 1)
    return article_id


def save(session: Session, article_id: int, wording: Wording, member: Member, *, based_on: int) -> Article:
    """A new version that says something else; the same wording again makes none. Raises NotFoundError, InvalidError, and
    ArticleChangedError where somebody saved after the version `based_on` that the writer had before them.
    """
    found = _hold(session, article_id, member)
    wording = _checked(wording)
    if wording == found.wording:
        return found
    if found.version != based_on:
        raise ArticleChangedError(article_id, found.version)
    number = found.version + 1
    _write(session, article_id, number, wording, member)
    session.execute(update(articles).where(articles.c.id == article_id).values(version=number, updated_at=now(session)))
    before, after = _said(found.wording), _said(wording)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    audit.record(
        session, f"staff:{member.id}", "article_saved", found.shop_id, article=article_id, version=number,
        changed=changed,
    )  # fmt: skip
    return replace(found, version=number, shown=number, wording=wording)


def show(session: Session, article_id: int, member: Member, version: int | None) -> None:
    """Publish a version, or (None) let customers no longer see the article. Repeatable. Raises NotFoundError,
    InvalidError("published", "many") where there are too many.
    """
    found = _hold(session, article_id, member)
    if version == found.published:
        return
    if version is not None:
        get(session, article_id, member, version)
        # Articles that come at the same instant are counted one after the other.
        session.execute(select(shops.ShopRow.id).where(shops.ShopRow.id == found.shop_id).with_for_update())
        there = session.execute(
            select(func.count()).where(articles.c.shop_id == found.shop_id, articles.c.published.is_not(None))
        ).scalar_one()
        if found.published is None and there >= PUBLISHED_MAX:
            raise InvalidError("published", "many", there)
    session.execute(
        update(articles).where(articles.c.id == article_id).values(published=version, updated_at=now(session))
    )
    audit.record(
        session, f"staff:{member.id}", "article_shown", found.shop_id, article=article_id, title=_title(found.wording),
        changed={"published": [found.published, version]},
    )  # fmt: skip


def restore(session: Session, article_id: int, version: int, member: Member) -> Article:
    """Make an old version the newest again, as a version of its own. Raises NotFoundError."""
    newest = _hold(session, article_id, member)
    old = get(session, article_id, member, version)
    return save(session, article_id, old.wording, member, based_on=newest.version)


def discard(session: Session, article_id: int, member: Member) -> None:
    """Throw away a draft that no customer has seen. Raises NotFoundError, ConflictError where it is published."""
    found = _hold(session, article_id, member)
    if found.published is not None:
        raise ConflictError("published")
    audit.record(
        session, f"staff:{member.id}", "article_discarded", found.shop_id, article=article_id,
        title=_title(found.wording),
    )  # fmt: skip
    session.execute(delete(versions).where(versions.c.article_id == article_id))
    session.execute(delete(articles).where(articles.c.id == article_id))


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _with_wording(version: object) -> Select[Any]:
    """Articles with the wording of a version (a column of theirs or a number)."""
    at = and_(versions.c.article_id == articles.c.id, versions.c.version == version)
    return select(*_ARTICLE, versions.c.version.label("shown"), *_WORDING).join(versions, at)


def _hold(session: Session, article_id: int, member: Member) -> Article:
    """An article about to be changed, in its newest version."""
    session.execute(select(articles.c.id).where(articles.c.id == article_id).with_for_update())
    return get(session, article_id, member)


def _write(session: Session, article_id: int, number: int, wording: Wording, member: Member) -> None:
    session.execute(
        insert(versions).values(
            article_id=article_id, version=number, at=now(session), staff_id=member.id, **_said(wording)
        )
    )


def _article(row: Any) -> Article:
    return Article(row.id, row.shop_id, row.version, row.published, row.updated_at, row.shown, _wording(row))


def _wording(row: Any) -> Wording:
    return Wording(
        {"vi": row.title_vi, "en": row.title_en}, {"vi": row.body_vi, "en": row.body_en}, tuple(row.asked.splitlines())
    )


def _said(wording: Wording) -> dict[str, str]:
    """A wording as its columns."""
    said = {f"title_{tongue}": wording.titles[tongue] for tongue in LANGUAGES}
    said |= {f"body_{tongue}": wording.bodies[tongue] for tongue in LANGUAGES}
    return {**said, "asked": "\n".join(wording.asked)}


def _title(wording: Wording) -> str:
    return wording.told(LANGUAGES[0])[0]


def _checked(wording: Wording) -> Wording:
    """The wording as it is kept. Raises InvalidError with the form's names: title_vi, body_en, asked …"""
    titles = {tongue: " ".join(_clean(wording.titles.get(tongue, "")).split()) for tongue in LANGUAGES}
    bodies = {tongue: _clean(wording.bodies.get(tongue, "")) for tongue in LANGUAGES}
    asked = tuple(line for line in (" ".join(_clean(one).split()) for one in wording.asked) if line)
    for tongue in LANGUAGES:
        if len(titles[tongue]) > TITLE_CHARS_MAX:
            raise InvalidError(f"title_{tongue}", "length", len(titles[tongue]))
        if len(bodies[tongue]) > BODY_CHARS_MAX:
            raise InvalidError(f"body_{tongue}", "length", len(bodies[tongue]))
        if titles[tongue] and not bodies[tongue]:
            raise InvalidError(f"body_{tongue}", "empty")
        if bodies[tongue] and not titles[tongue]:
            raise InvalidError(f"title_{tongue}", "empty")
    if not any(titles.values()):
        raise InvalidError(f"title_{LANGUAGES[0]}", "empty")
    if sum(map(len, asked)) > ASKED_CHARS_MAX:
        raise InvalidError("asked", "length", sum(map(len, asked)))
    return Wording(titles, bodies, asked)


def _clean(text: str) -> str:
    return text.replace("\x00", "").replace("\r\n", "\n").strip()
