"""How a shop goes about complaints, as a form: limits by role, days, tries, root causes."""

from collections.abc import Mapping

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import complaint_words
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.feedback.complaints import PAGE
from handlers.words import Words
from loyalty import programme
from store.errors import InvalidError
from support.complaints import terms
from support.complaints.terms import LIMITED, Limit, Terms

NUMBERS = ("check_days", "tries", "repeat_days", "recovery_stars", "big_order")


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    known = await site.store_of(request).read(terms.of, here.shop.id)
    return await _form(request, _shown(said, known), {})


def _shown(said: Words, known: Terms) -> dict[str, str]:
    form = {name: said.number(getattr(known, name)) for name in NUMBERS}
    for role in LIMITED:
        limit = known.limits[role]
        form[f"{role.value}_case"] = "" if limit.case is None else said.number(limit.case)
        form[f"{role.value}_day"] = "" if limit.day is None else said.number(limit.day)
    return form | {"causes": "\n".join(known.causes or complaint_words.causes(said))}


async def _form(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    said = site.words_of(request)
    common = await site.store_of(request).read(programme.get)
    context = {
        "form": form, "errors": errors, "roles": [(role.value, site.role_name(said, role)) for role in LIMITED],
        "point_value": common.point_value,
    }  # fmt: skip
    return await frame.render(request, "shop/feedback/terms.html", context, page=PAGE, status=status)


async def save(request: web.Request) -> web.StreamResponse:
    """Every field that is wrong is said at once."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    numbers: dict[str, int | None] = {}
    errors: dict[str, str] = {}
    limited = [f"{role.value}_{name}" for role in LIMITED for name in ("case", "day")]
    for name in (*NUMBERS, *limited):
        try:
            numbers[name] = fields.number(form, name) if name in limited else fields.needed(form, name)
        except InvalidError as error:
            errors[name] = _problem(said, error)
    if errors:
        return await _form(request, form, errors, status=422)
    new = Terms(
        **{name: numbers[name] or 0 for name in NUMBERS},
        limits={role.value: Limit(numbers[f"{role.value}_case"], numbers[f"{role.value}_day"]) for role in LIMITED},
        causes=tuple(form.get("causes", "").splitlines()),
    )

    def write(session: Session) -> None:
        terms.change(session, here.shop.id, new, here.actor)

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, form, {error.field: _problem(said, error)}, status=422)
    return await frame.done(request, "/shop/complaints", said("Saved. It holds from now on."))


def _problem(said: Words, error: InvalidError) -> str:
    if error.problem in {"number", "empty"}:
        return said("Write a whole number.")
    if error.field in terms.RANGES:
        low, high = terms.RANGES[error.field]
        return said("Between {low} and {high}.", low=said.number(low), high=said.number(high))
    if error.field == "causes":
        return said("At most {n} causes of {letters} letters each.", n=terms.CAUSES_MAX, letters=terms.CAUSE_CHARS_MAX)
    return said("Write an amount in đồng, or leave it empty.")
