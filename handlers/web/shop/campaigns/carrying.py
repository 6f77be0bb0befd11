"""What a campaign's message carries beside its words, in the console: the form's buttons, and its pictures."""

import asyncio
from collections.abc import Mapping

from aiohttp import web

from handlers.chat.commands import LABELS
from handlers.web import files, site, uploads
from handlers.web.shop import frame
from handlers.words import Words
from loyalty.outreach.campaigns import campaigns, contents, drafts
from loyalty.outreach.campaigns.campaigns import Campaign
from loyalty.outreach.campaigns.contents import BUTTONS_MAX, PICTURES_MAX, PLACES, Button, ButtonKind
from store import media
from store.errors import InvalidError, NotFoundError

LANGUAGES = ("vi", "en")


def kinds(said: Words) -> list[tuple[str, str]]:
    return [
        ("", said("No button")), (ButtonKind.LINK, said("Opens a web page")), (ButtonKind.OPEN, said("Opens a place in the chat")),
        (ButtonKind.CLAIM, said("Hands out the voucher")), (ButtonKind.REPLY, said("Says its words to you")),
    ]  # fmt: skip


def places(said: Words) -> list[tuple[str, str]]:
    return [(place, said(LABELS[place])) for place in PLACES]


def filled(campaign: Campaign) -> dict[str, str]:
    """Its buttons as the form's fields."""
    form = {}
    for at, button in enumerate(contents.buttons_of(campaign.buttons)):
        form[f"button_{at}_kind"] = button.kind.value
        form[f"button_{at}_{'place' if button.kind is ButtonKind.OPEN else 'url'}"] = button.to
        for language in LANGUAGES:
            form[f"button_{at}_{language}"] = button.words.get(language, "")
    return form


def read(form: Mapping[str, str]) -> list[Button]:
    """The form's buttons, those without a kind left out."""
    found = []
    for at in range(BUTTONS_MAX):
        kind = form.get(f"button_{at}_kind", "")
        if kind not in set(ButtonKind):
            continue
        labels = {language: text for language in LANGUAGES if (text := form.get(f"button_{at}_{language}", "").strip())}
        to = {ButtonKind.LINK: "url", ButtonKind.OPEN: "place"}.get(ButtonKind(kind))
        found.append(Button(ButtonKind(kind), labels, form.get(f"button_{at}_{to}", "").strip() if to else ""))
    return found


def refusals(said: Words, form: Mapping[str, str], error: InvalidError) -> dict[str, str]:
    """What is wrong with a button, at its field; empty where it is something else."""
    place, _, rest = error.field.partition(".")
    if place != "buttons":
        return {}
    if not rest:
        claim = error.problem in {"repeated", "claim_and_code"}
        return {"buttons": {
            "repeated": said("One button that hands out the voucher is enough."),
            "claim_and_code": said("The code is made when somebody asks for it: take it out of the words."),
        }[error.problem] if claim else said("At most {n} buttons.", n=said.number(BUTTONS_MAX))}  # fmt: skip
    nth, _, part = rest.partition(".")
    # The form's rows with nothing in them don't count.
    rows = [at for at in range(BUTTONS_MAX) if form.get(f"button_{at}_kind") in set(ButtonKind)]
    field = f"button_{rows[int(nth)]}_{'vi' if part == 'words' else 'url'}"
    if part == "words":
        return {field: said("Write what the button says, in at most 40 letters.")}
    return {field: said("Paste the whole address, beginning with https://.")}


# ── Pictures ────────────────────────────────────────────────────────────────────────────────────────


async def add_picture(request: web.Request) -> web.StreamResponse:
    """Put a picture behind the others of a draft."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    _, sent = await uploads.read_form(request, PICTURES_MAX)
    store = site.store_of(request)
    for one in sent:
        try:
            content, size = await asyncio.to_thread(uploads.to_send, one.content)
            await store.write(
                drafts.add_picture, number, here.shop.id, here.actor, content, name=one.name, size=size
            )  # fmt: skip
        except InvalidError as error:
            words = {
                "count": said("Ten pictures are the most."), "format": said("This file is no picture we can read."),
            }[error.problem]  # fmt: skip
            return frame.told(web.Response(status=422), words)
    return web.Response(status=204, headers={"HX-Refresh": "true"})


async def drop_picture(request: web.Request) -> web.StreamResponse:
    here, number = frame.frame_of(request), frame.named(request)
    await site.store_of(request).write(
        drafts.drop_picture, number, here.shop.id, here.actor, frame.named(request, "place")
    )
    return web.Response(status=204, headers={"HX-Refresh": "true"})


async def picture(request: web.Request) -> web.StreamResponse:
    """A picture itself."""
    here, place = frame.frame_of(request), frame.named(request, "place")
    campaign = await site.store_of(request).read(campaigns.get, frame.named(request), here.shop.id)
    kept = contents.pictures_of(campaign.pictures)
    if place >= len(kept):
        raise NotFoundError("picture", place)
    content = await site.store_of(request).read(media.load, kept[place].sha)
    return files.media_response(content, kept[place].name)
