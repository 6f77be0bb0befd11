"""Articles in the console: the shelf with how each does, what people ask and find nothing, the editor with its preview."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import frame
from handlers.words import Words
from store.errors import InvalidError
from support.answers import articles, asking, matching, rendering
from support.answers.articles import ArticleChangedError, Wording

PLACE = "/shop/articles"
FIELDS = ("title_vi", "body_vi", "title_en", "body_en", "asked")
TRY_CHARS_MAX = 300


async def page(request: web.Request) -> web.StreamResponse:
    """The shelf; `try` shows which article a question would be answered with."""
    here, trial = frame.frame_of(request), request.query.get("try", "")[:TRY_CHARS_MAX]

    def look(session: Session) -> dict[str, Any]:
        shelf = articles.published(session, here.shop.id)
        found = matching.best(trial, [asking.entry_of(one) for one in shelf]) if trial.strip() else None
        return {
            "every": articles.every(session, here.shop.id), "scores": asking.scores(session, here.shop.id),
            "gaps": asking.gaps(session, here.shop.id), "trial": trial,
            "tried": next((one for one in shelf if found and one.id == found.id), None),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {"tab": "articles", "language": site.words_of(request).language}
    return await frame.render(request, "shop/answers/articles.html", context, page="answers")


async def new(request: web.Request) -> web.StreamResponse:
    """A new article, perhaps for what somebody asked (`asked`)."""
    return await _form(request, None, {"asked": request.query.get("asked", "")[:TRY_CHARS_MAX]}, {})


async def edit(request: web.Request) -> web.StreamResponse:
    """The newest version, or an old one to look at (`version`)."""
    number, wanted = frame.named(request), request.query.get("version", "")
    version = frame.whole(wanted) if wanted else None
    found = await site.store_of(request).read(articles.get, number, site.member_of(request), version)
    return await _form(request, number, filled(found.wording) | {"based_on": str(found.version)}, {})


def filled(wording: Wording) -> dict[str, str]:
    """A wording as the form's fields."""
    form = {f"title_{tongue}": wording.titles.get(tongue, "") for tongue in articles.LANGUAGES}
    form |= {f"body_{tongue}": wording.bodies.get(tongue, "") for tongue in articles.LANGUAGES}
    return form | {"asked": "\n".join(wording.asked)}


async def _form(
    request: web.Request, number: int | None, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    member = site.member_of(request)

    def look(session: Session) -> dict[str, Any]:
        if number is None:
            return {"article": None, "versions": [], "score": None}
        article = articles.get(session, number, member)
        return {
            "article": article, "versions": articles.history(session, number, member),
            "score": asking.scores(session, article.shop_id).get(number),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {
        "form": dict.fromkeys(FIELDS, "") | {"based_on": ""} | dict(form), "errors": errors, "shown": shown(form),
        "opened": request.query.get("version", ""),
        "limits": {"title": articles.TITLE_CHARS_MAX, "body": articles.BODY_CHARS_MAX},
    }  # fmt: skip
    return await frame.render(request, "shop/answers/article.html", context, page="answers", status=status)


def shown(form: Mapping[str, str]) -> list[dict[str, Any]]:
    """The article as a chat gives it, in each language it has. Chats know bold, italics, links and lists."""
    return [
        {
            "language": tongue, "title": form.get(f"title_{tongue}", ""),
            "body": rendering.page(form.get(f"body_{tongue}", "")),
            "cut": rendering.chat(form.get(f"body_{tongue}", "")).endswith("\n…"),
        }
        for tongue in articles.LANGUAGES
        if form.get(f"title_{tongue}") or form.get(f"body_{tongue}")
    ]  # fmt: skip


async def preview(request: web.Request) -> web.StreamResponse:
    """What is being typed, as it will look."""
    form = await _read(request)
    return await frame.part(request, "shop/answers/article_preview.html", {"shown": shown(form)})


async def _read(request: web.Request) -> dict[str, str]:
    """The form's fields; an article is longer than the console's other texts."""
    posted = await request.post()
    return {
        name: value.replace("\x00", "").replace("\r\n", "\n").strip()[: articles.BODY_CHARS_MAX + 1]
        for name in (*FIELDS, "based_on", "publish", "version", "key")
        if isinstance(value := posted.get(name, ""), str)
    }


def _wording(form: Mapping[str, str]) -> Wording:
    return Wording(
        {tongue: form[f"title_{tongue}"] for tongue in articles.LANGUAGES},
        {tongue: form[f"body_{tongue}"] for tongue in articles.LANGUAGES},
        tuple(form["asked"].splitlines()),
    )


async def create(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await _read(request)
    publish = bool(form["publish"])
    try:
        number = await site.store_of(request).write(
            articles.create, here.shop.id, _wording(form), here.member, publish=publish
        )
    except InvalidError as error:
        return await _form(request, None, form, {error.field: _problem(said, error)}, status=422)
    words = said("Published: the bot answers with it now.") if publish else said("Kept as a draft.")
    return await frame.done(request, f"{PLACE}/{number}", words)


async def save(request: web.Request) -> web.StreamResponse:
    """A new version, published or not."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    form = await _read(request)
    publish, based_on = bool(form["publish"]), frame.whole(form["based_on"])

    def write(session: Session) -> None:
        saved = articles.save(session, number, _wording(form), here.member, based_on=based_on)
        if publish:
            articles.show(session, number, here.member, saved.version)

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, number, form, {error.field: _problem(said, error)}, status=422)
    except ArticleChangedError:
        words = said("A colleague saved this article meanwhile. Compare with the newest version before you save yours.")
        return await _form(request, number, form, {"changed": words}, status=409)
    words = (
        said("Published: the bot answers with it now.")
        if publish
        else said("Saved. Customers don't see it until you publish it.")
    )
    return await frame.done(request, f"{PLACE}/{number}", words)


async def act(request: web.Request) -> web.StreamResponse:
    """Take it away from customers, go back to an old version, throw a draft away."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    store, action = site.store_of(request), request.match_info["action"]
    if action == "hide":
        await store.write(articles.show, number, here.member, None)
        return await frame.done(request, f"{PLACE}/{number}", said("Customers are no longer answered with it."))
    if action == "discard":
        await store.write(articles.discard, number, here.member)
        return await frame.done(request, PLACE, said("The draft is gone."))
    version = frame.whole((await _read(request))["version"])
    await store.write(articles.restore, number, version, here.member)
    return await frame.done(
        request, f"{PLACE}/{number}", said("Version {n} is the newest again. Publish it to show it.", n=version)
    )


async def put_aside(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    key = (await _read(request))["key"]
    await site.store_of(request).write(asking.put_aside, here.shop.id, here.member, key)
    return await frame.done(request, PLACE, said("Put aside. It comes back when it is asked again."))


def _problem(said: Words, error: InvalidError) -> str:
    if error.field.startswith("title"):
        if error.problem == "empty":
            return said("Give it a title: the question it answers.")
        return said("Up to {n} letters.", n=articles.TITLE_CHARS_MAX)
    if error.field.startswith("body"):
        if error.problem == "empty":
            return said("Write the answer, or leave this language out.")
        return said("Up to {n} letters. Chats show the beginning.", n=said.number(articles.BODY_CHARS_MAX))
    if error.field == "published":
        return said("A shop has up to {n} published articles.", n=articles.PUBLISHED_MAX)
    return said("Up to {n} letters.", n=said.number(articles.ASKED_CHARS_MAX))
