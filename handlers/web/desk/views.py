"""The desk: where agents read and answer what customers ask. The page's protocol stands in desk.js."""

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk import (
    answers,
    availability,
    care,
    complaints,
    deadlines,
    filing,
    filters,
    finding,
    frame,
    promises,
    shown,
    together,
)
from handlers.web.desk.frame import Part, desk, ticket_of
from handlers.web.desk.letters import setup_letters, supervises_all
from handlers.web.desk.reading import setup_reading
from handlers.web.desk.stream import setup_stream
from handlers.web.desk.writing import setup_writing
from store import media, shops
from store.errors import NotFoundError
from store.staff import Member, Right
from support import changes, queue, topics
from support.messages import FILES_MAX, TEXT_CHARS_MAX

PARTS: tuple[Part, ...] = (
    together.PART,
    filing.PART,
    filters.PART,
    answers.PART,
    finding.PART,
    availability.PART,
    promises.PART,
    deadlines.PART,
    complaints.PART,
    care.PART,
)
"""What hangs in the desk beside its own frame, a line each: `promises.PART`, … Their scripts are listed in pieces.js."""


def setup_desk(app: web.Application) -> None:
    app[frame.PARTS] = PARTS
    app.router.add_get("/desk", desk(page))
    app.router.add_get("/desk/{ticket:\\d{1,15}}", desk(page))
    setup_reading(app)
    # The parts come before the buttons by name, whose address would swallow theirs.
    for part in PARTS:
        if part.setup:
            part.setup(app)
    setup_writing(app)
    setup_stream(app)
    setup_letters(app)


async def page(request: web.Request) -> web.StreamResponse:
    """The page; what it shows it asks for itself. At the address of a ticket that isn't theirs it is a 404 that says so."""
    member, said = site.member_of(request), site.words_of(request)
    store, status = site.store_of(request), 200
    mine = await store.read(_desks, member)
    own_topics = [
        one for each in (await store.read(topics.of_shops, [shop.id for shop in mine])).values() for one in each
    ]
    if "ticket" in request.match_info:
        try:
            await store.read(queue.line, ticket_of(request), member)
        except NotFoundError:
            status = 404
    boot = {
        "me": {"id": member.id, "name": member.name}, "shops": {shop.id: shop.name for shop in mine},
        "csrf": await site.csrf_token(request), "topics": shown.topics(said, own_topics),
        "reactions": changes.REACTIONS, "limits": {"bytes": media.BYTES_MAX, "files": FILES_MAX, "chars": TEXT_CHARS_MAX},
    }  # fmt: skip
    own = {key: words for part in PARTS if part.words for key, words in part.words(said).items()}
    context = {
        "boot": boot, "shops": mine, "own_words": own, "styles": [part.style for part in PARTS if part.style], "brand": mine[0].brand if len(mine) == 1 else None,
        "letters": supervises_all(member, mine), "doors": [
            (path, name) for right, path, name in (
                (Right.CONSOLE, "/shop", said("Shop console")), (Right.TILL, "/till", said("Till")),
                (Right.REPORTS, "/shop/support", said("Support report")),
            ) if member.may(right)
        ],
    }  # fmt: skip
    return await site.render(request, "desk/desk.html", context, status=status)


def _desks(session: Session, member: Member) -> list[shops.Shop]:
    ids = set(queue.desks_of(session, member))
    return [shop for shop in shops.every(session) if shop.id in ids]
