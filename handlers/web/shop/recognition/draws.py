"""Lucky draws in the console: a draft with its prizes, the legal notice and what the shop says it has seen to, opening, closing,
and the log.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import recognition_words
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.recognition import overview, prizes
from handlers.words import Words
from loyalty.customers import customers
from loyalty.points import lots
from loyalty.recognition import drafts, drawlog, draws, entries
from loyalty.recognition.drafts import DrawInput
from loyalty.recognition.draws import ASSURANCES, Draw, DrawState, EntryBy, Mode
from loyalty.recognition.prizes import PrizeInput
from store import audit, staff
from store.errors import InvalidError, NotFoundError

ROWS = 3
LOG_SHOWN = 50
NUMBERS = ("entry_per", "per_day", "tickets")


@dataclass(frozen=True, slots=True)
class Ask:
    """Something the shop says it has seen to before it opens a draw."""

    name: str
    words: str


def notice(said: Words) -> list[str]:
    """The legal notice: what is commonly asked of promotions of chance in Vietnam, as far as we know; no legal advice."""
    return [
        said("Promotions of chance usually have to be registered with the Department of Industry and Trade before they begin (Decree 81/2018). Some are exempt, for example with prizes below 100 million đồng in all."),
        said("What is promoted may be given at a value of at most 50% of the goods it goes with, and only so many days a year."),
        said("The rules, the prizes and the odds have to be published, kept as they are, and each win needs evidence. The page of this draw and its log are made for that."),
        said("This is a notice and no legal advice: what applies to your shop, a lawyer or the Department can tell."),
    ]  # fmt: skip


def asks(said: Words) -> list[Ask]:
    words = {
        "registered": said("It is registered or notified with the Department of Industry and Trade, or needs no registration."),
        "limits": said("The prizes' value, their share of what is sold and the days of the promotion stay within the limits that apply."),
        "evidence": said("We keep evidence of each prize handed over and report what has to be reported."),
        "taxes": said("Winners' taxes are seen to where a prize's value asks for it."),
    }  # fmt: skip
    return [Ask(name, words[name]) for name in ASSURANCES]


async def new(request: web.Request) -> web.StreamResponse:
    form = {
        "mode": "odds",
        "entry_by": "order",
        "when_out": "nothing",
        "prize_1_kind": "points",
        "prize_1_points": "50",
    }
    return await _form(request, None, form, {})


async def page(request: web.Request) -> web.StreamResponse:
    """A draft's form; an open or closed draw with its entries and its log."""
    here, said = frame.frame_of(request), site.words_of(request)
    draw = await site.store_of(request).read(draws.get, frame.named(request), here.shop.id)
    if draw.state == DrawState.DRAFT:
        return await _form(request, draw, await _filled(request, draw), {})

    def look(session: Session) -> dict[str, Any]:
        log = drawlog.lines(session, draw.id, limit=LOG_SHOWN, newest=True)
        return {
            "draw": draw, "prizes": draws.placed(session, draw.id), "counts": entries.counts(session, draw.id),
            "seed": draws.seed_of(session, draw),
            "log": log, "names": {one: customers.get(session, one).name for one in {line.customer for line in log}},
            "assured_by": _name(session, str((draw.assured or {}).get("by", ""))),
        }  # fmt: skip

    context = {
        **await site.store_of(request).read(look), "chance": recognition_words.chance,
        "way_in": recognition_words.way_in(said, draw), "public": f"/lucky/{draw.id}",
        "until": recognition_words.until(said, draw.ends_at, here.shop.timezone),
    }  # fmt: skip
    return await frame.render(request, "shop/recognition/draw.html", context, page=overview.PAGE)


def _name(session: Session, actor: str) -> str:
    """Who opened it; their number where they work here no longer."""
    kind, _, number = actor.partition(":")
    try:
        return staff.get(session, int(number)).name if kind == "staff" else actor
    except NotFoundError:
        return f"#{number}"


async def _filled(request: web.Request, draw: Draw) -> dict[str, str]:
    here, said = frame.frame_of(request), site.words_of(request)
    form = {name: getattr(draw, name) for name in ("name", "about", "mode", "when_out", "entry_by")}
    form |= {name: said.number(value) if (value := getattr(draw, name)) else "" for name in NUMBERS}
    form["ends_on"] = lots.last_day(draw.ends_at, here.shop.timezone).isoformat()
    for one in await site.store_of(request).read(draws.placed, draw.id):
        form |= prizes.filled(said, one.prize, f"prize_{one.place}_")
        form[f"prize_{one.place}_odds"] = _percent(said, one.odds)
    return form


def _percent(said: Words, odds: int) -> str:
    """Odds in ten thousand as per cent with up to two decimals: 2500 is 25, 5 is 0,05."""
    whole, part = divmod(odds, 100)
    decimals = f"{part:02d}".rstrip("0")
    sign = "," if said.language == "vi" else "."
    return f"{whole}{sign + decimals if decimals else ''}"


def _odds(form: Mapping[str, str], name: str) -> int:
    """Per cent as people write it (25, 0,5, 0.05%) as so many in ten thousand, without a float on the way.

    Raises InvalidError(name).
    """
    text = form.get(name, "").strip().removesuffix("%").strip().replace(",", ".")
    whole, _, part = text.partition(".")
    if not (whole + part).isdecimal() or not (whole + part).isascii() or len(whole) > 3 or len(part) > 2:
        raise InvalidError(name, "range", text[:20])
    return int(whole or "0") * 100 + int(part.ljust(2, "0") or "0")


async def _form(
    request: web.Request, draw: Draw | None, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    filled = max((int(name.split("_")[1]) for name in form if _of_row(name) and form[name]), default=0)
    context = {
        "draw": draw, "form": form, "errors": errors, "notice": notice(said), "asks": asks(said),
        "rows": range(1, min(drafts.PRIZES_MAX, max(ROWS, filled + 1)) + 1),
        "offers": await site.store_of(request).read(prizes.offers, here.shop.id),
    }  # fmt: skip
    return await frame.render(request, "shop/recognition/draw_form.html", context, page=overview.PAGE, status=status)


def _of_row(name: str) -> bool:
    parts = name.split("_")
    return parts[0] == "prize" and len(parts) > 2 and parts[1].isdecimal() and parts[2] in {"name", "points", "stock"}


def _read(
    session: Session, said: Words, form: Mapping[str, str], here: frame.Frame, wrong: dict[str, InvalidError]
) -> DrawInput:
    """Raises InvalidError once all that is wrong stands in `wrong`."""
    numbers: dict[str, int | None] = {}
    for name in NUMBERS:
        try:
            numbers[name] = fields.number(form, name)
        except InvalidError as error:
            wrong[name] = error
    ends: datetime | None = None
    try:
        ends = fields.day(form, "ends_on", here.shop.timezone, last=True)
        if ends is None:
            raise InvalidError("ends_on", "empty")  # noqa: TRY301  # one way out for a day that isn't there
    except InvalidError as error:
        wrong["ends_on"] = error
    mode = Mode(form["mode"]) if form.get("mode") in set(Mode) else Mode.ODDS
    listed: list[tuple[PrizeInput, int]] = []
    place = 0
    for row in range(1, drafts.PRIZES_MAX + 1):
        prefix = f"prize_{row}_"
        if not any(form.get(prefix + name) for name in ("name", "points", "stock", "odds", "program_id")):
            continue
        place += 1
        prize, unread = prizes.read(session, said, form, here.shop.id, prefix)
        wrong.update(unread)
        if prize.stock is None and f"{prefix}stock" not in wrong:
            wrong[f"{prefix}stock"] = InvalidError(f"{prefix}stock", "empty")
        odds = 0
        if mode is Mode.ODDS:
            try:
                odds = _odds(form, f"{prefix}odds")
            except InvalidError as error:
                wrong[f"{prefix}odds"] = error
        listed.append((prize, odds))
    if wrong:
        raise next(iter(wrong.values()))
    assert ends is not None
    entry_by = EntryBy(form["entry_by"]) if form.get("entry_by") in set(EntryBy) else EntryBy.ORDER
    return DrawInput(
        form.get("name", ""), mode, entry_by, numbers["entry_per"] or 0, ends, listed, about=form.get("about", ""),
        tickets=numbers["tickets"], when_out=form.get("when_out", "nothing"), per_day=numbers["per_day"],
    )  # fmt: skip


async def save(request: web.Request) -> web.StreamResponse:
    """A draft, new or changed."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    number = frame.named(request) if "id" in request.match_info else None
    wrong: dict[str, InvalidError] = {}

    def write(session: Session) -> Draw:
        read = _read(session, said, form, here, wrong)
        before = None
        if number is None:
            made = drafts.add(session, here.shop.id, read)
        else:
            before = _said(session, draws.get(session, number, here.shop.id))
            made = drafts.change(session, number, here.shop.id, read)
        audit.record(
            session, here.actor, "draw_added" if before is None else "draw_changed", here.shop.id, draw=made.id,
            before=before, after=_said(session, made),
        )  # fmt: skip
        return made

    try:
        made = await site.store_of(request).write(write)
    except InvalidError as error:
        draw = None
        if number is not None:
            draw = await site.store_of(request).read(draws.get, number, here.shop.id)
        return await _form(request, draw, form, _errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/draws/{made.id}", said("Saved as a draft. Nobody sees it yet."))


def _said(session: Session, draw: Draw) -> dict[str, Any]:
    """A draw as the audit keeps it."""
    kept = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(draw).items() if name not in {"terms", "last_hash"}
    }  # fmt: skip
    kept["prizes"] = [[one.place, one.prize.name, one.odds, one.prize.stock] for one in draws.placed(session, draw.id)]
    return kept


async def act(request: web.Request) -> web.StreamResponse:
    """Open a draft, close an open draw, or throw a draft away."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    action, number = request.match_info["action"], frame.named(request)
    assured = [name for name in ASSURANCES if form.get(f"assured_{name}") == "on"]

    def write(session: Session) -> None:
        before = draws.get(session, number, here.shop.id).state
        if action == "remove":
            drafts.remove(session, number, here.shop.id)
            audit.record(session, here.actor, "draw_removed", here.shop.id, draw=number)
            return
        if action == "open":
            after = draws.open_draw(session, number, here.shop.id, here.actor, assured)
        else:
            after = draws.close(session, number, here.shop.id)
        if after.state != before:
            audit.record(
                session, here.actor, f"draw_{after.state}", here.shop.id, draw=number, changed={"state": [before, after.state]},
                assured=assured, seed_sha256=after.seed_hash,
            )  # fmt: skip

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        draw = await site.store_of(request).read(draws.get, number, here.shop.id)
        return await _form(request, draw, await _filled(request, draw), _errors(said, {}, error), status=422)
    words = {
        "open": said("The draw is open. Its odds and the seal of its seed are public now."),
        "close": said("The draw is closed, and its seed is public: everybody can check every draw."),
        "remove": said("The draft is gone."),
    }[action]  # fmt: skip
    return await frame.done(request, "/shop/recognition" if action == "remove" else f"/shop/draws/{number}", words)


def _errors(said: Words, wrong: Mapping[str, InvalidError], raised: InvalidError) -> dict[str, str]:
    field = {"ends_at": "ends_on"}.get(raised.field, raised.field)
    known = {
        "name": said("Give it a name of 1 to 80 letters."), "about": said("Please keep it below 600 letters."),
        "entry_per": said("Write how much an entry takes."), "per_day": said("Between 1 and 1,000 a day."),
        "ends_on": said("Choose a last day within a year from now."),
        "prizes": said("A draw has between 1 and 20 prizes."),
        "tickets": said("There must be at least as many tickets as prizes."),
        "odds": said("All chances together can't be above 100%; now they are {sum}%.", sum=_percent(said, raised.value))
        if raised.field == "odds" and isinstance(raised.value, int) else "",
        "assured": said("Tick each point once you have seen to it, as far as it applies to you."),
        "when_out": said("Choose what happens then."),
    }  # fmt: skip
    return {
        name: (prizes.problem(said, name, error) if name.startswith("prize_") else None)
        or overview.problem(said, name, error, known)
        for name, error in {**wrong, field: raised}.items()
    }
