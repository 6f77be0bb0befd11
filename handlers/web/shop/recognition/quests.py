"""Quests in the console: made by a form with the customer's view beside it; name, words and end can be changed later."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import recognition_words
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.recognition import overview, prizes
from handlers.words import Words
from loyalty.points import lots
from loyalty.recognition import prizes as rules
from loyalty.recognition import progress, quests
from loyalty.recognition.quests import Every, Quest, QuestInput
from loyalty.recognition.visits import Measure
from store import audit
from store.clock import now
from store.errors import InvalidError

NEW = {
    "measure": Measure.NEW_DISHES.value, "target": "3", "every": Every.MONTH.value, "prize_kind": "points",
    "prize_points": "50",
}  # fmt: skip


async def new(request: web.Request) -> web.StreamResponse:
    return await _form(request, None, dict(NEW), {})


async def edit(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    quest = await site.store_of(request).read(quests.get, frame.named(request), here.shop.id)
    return await _form(request, quest, _filled(said, quest, here.shop.timezone), {})


def _filled(said: Words, quest: Quest, zone: str) -> dict[str, str]:
    return {
        "name": quest.name, "about": quest.about, "measure": quest.measure, "target": said.number(quest.target),
        "names": ", ".join(quest.names), "every": quest.every,
        "starts_on": quest.starts_at.astimezone(ZoneInfo(zone)).date().isoformat(),
        "ends_on": lots.last_day(quest.ends_at, zone).isoformat() if quest.ends_at else "",
    }  # fmt: skip


async def _form(
    request: web.Request, quest: Quest | None, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        found: dict[str, Any] = {"offers": prizes.offers(session, here.shop.id), "quest": quest}
        if quest is not None:
            prize = rules.get(session, quest.prize_id)
            on_way, done = progress.tally(session, quest.id)
            found |= {
                "goal": recognition_words.counted(said, quest.measure, quest.target), "on_way": on_way, "done": done,
                "prize": recognition_words.gives(said, prize), "left": rules.left(session, prize),
                "over": quest.ends_at is not None and quest.ends_at <= now(session),
            }  # fmt: skip
        return found

    context = {
        **await site.store_of(request).read(look), "form": form, "errors": errors, "preview": _preview(said, form),
        "measures": [
            (Measure.ORDERS, said("Orders")), (Measure.SPEND, said("Spend")), (Measure.DISHES, said("Different items")),
            (Measure.NEW_DISHES, said("Items they never had")), (Measure.DAYS, said("Days in a row")),
            (Measure.WEEKS, said("Weeks in a row")),
        ],
        "rhythms": [(Every.ONCE, said("Once")), (Every.WEEK, said("Every week")), (Every.MONTH, said("Every month"))],
    }  # fmt: skip
    return await frame.render(request, "shop/recognition/quest.html", context, page=overview.PAGE, status=status)


async def preview(request: web.Request) -> web.StreamResponse:
    """The quest as the chat will show it, while the form is filled in."""
    form = {name: value[: fields.TEXT_CHARS_MAX] for name, value in request.query.items()}
    context = {"preview": _preview(site.words_of(request), form)}
    return await frame.part(request, "shop/recognition/quest_preview.html", context)


def _preview(said: Words, form: Mapping[str, str]) -> dict[str, str]:
    try:
        target = max(1, fields.number(form, "target") or 1)
    except InvalidError:
        target = 1
    measure = form.get("measure", "")
    measure = measure if measure in set(Measure) else Measure.ORDERS.value
    reached = target // 3 if target > 1 else 0
    return {
        "name": form.get("name", "").strip() or said("Your quest's name"), "about": form.get("about", "").strip(),
        "bar": recognition_words.bar(reached, target),
        "progress": recognition_words.progress(said, measure, reached, target),
    }  # fmt: skip


async def create(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    zone, wrong = here.shop.timezone, dict[str, InvalidError]()
    starts, ends, target = _day(form, wrong, "starts_on", zone), _day(form, wrong, "ends_on", zone), 0
    try:
        target = fields.needed(form, "target")
    except InvalidError as error:
        wrong["target"] = error
    measure, every = form.get("measure", ""), form.get("every", Every.ONCE)
    if measure not in set(Measure):
        wrong["measure"] = InvalidError("measure", "unknown")

    def write(session: Session) -> Quest:
        prize, unread = prizes.read(session, said, form, here.shop.id)
        wrong.update(unread)
        if wrong:
            raise next(iter(wrong.values()))
        made = quests.add(
            session, here.shop.id,
            QuestInput(
                form.get("name", ""), Measure(measure), target, prize, about=form.get("about", ""),
                names=[name for name in form.get("names", "").split(",") if name.strip()],
                every=Every(every) if every in set(Every) else Every.ONCE, starts_at=starts, ends_at=ends,
            ),
        )  # fmt: skip
        audit.record(session, here.actor, "quest_added", here.shop.id, after=_written(asdict(made)))
        return made

    try:
        quest = await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, None, form, _errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/quests/{quest.id}", said("Saved. The quest is on."))


def _day(form: Mapping[str, str], wrong: dict[str, InvalidError], name: str, zone: str) -> datetime | None:
    try:
        return fields.day(form, name, zone, last=name == "ends_on")
    except InvalidError as error:
        wrong[name] = error
        return None


async def change(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    before = await site.store_of(request).read(quests.get, frame.named(request), here.shop.id)
    wrong: dict[str, InvalidError] = {}
    values: dict[str, Any] = {
        "name": form.get("name", ""), "about": form.get("about", ""),
        "ends_at": _day(form, wrong, "ends_on", here.shop.timezone),
    }  # fmt: skip

    def write(session: Session) -> None:
        _change(session, here, before.id, values)

    try:
        if wrong:
            raise next(iter(wrong.values()))
        await site.store_of(request).write(write)
    except InvalidError as error:
        filled = _filled(said, before, here.shop.timezone) | form
        return await _form(request, before, filled, _errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/quests/{before.id}", said("Saved."))


async def end(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    await site.store_of(request).write(lambda s: _change(s, here, number, {"ends_at": now(s)}))
    return await frame.done(request, f"/shop/quests/{number}", said("The quest has ended. Prizes that were won stay."))


def _change(session: Session, here: frame.Frame, quest_id: int, values: dict[str, Any]) -> None:
    was = asdict(quests.get(session, quest_id, here.shop.id, lock=True))
    now_is = asdict(quests.change(session, quest_id, here.shop.id, **values))
    changed = {name: [was[name], value] for name, value in now_is.items() if was[name] != value}
    if changed:
        audit.record(session, here.actor, "quest_changed", here.shop.id, quest=quest_id, changed=_written(changed))


def _written(values: dict[str, Any]) -> dict[str, Any]:
    """Values as the audit keeps them."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(one) for one in value]
        return value.isoformat() if isinstance(value, datetime) else value

    return {name: plain(value) for name, value in values.items()}


def _errors(said: Words, wrong: Mapping[str, InvalidError], raised: InvalidError) -> dict[str, str]:
    field = {"starts_at": "starts_on", "ends_at": "ends_on"}.get(raised.field, raised.field)
    field = f"prize_{field}" if field in prizes.OWN else field
    known = {
        "name": said("Give it a name of 1 to 80 letters, for example “Three new drinks”."),
        "about": said("Please keep it below 300 letters."), "measure": said("Choose what counts."),
        "target": said("Write a whole number of at least 1."),
        "names": said("At most 50 names, each below 80 letters, with commas between."),
        "starts_on": said("Choose a day from the calendar."), "ends_on": said("The last day can't be before the first."),
    }  # fmt: skip
    every = {**wrong, field: raised}
    return {
        name: (prizes.problem(said, name, error) if name.startswith("prize_") else None)
        or overview.problem(said, name, error, known)
        for name, error in every.items()
    }
