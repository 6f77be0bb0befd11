"""Webhooks over the API: register an address that is told what happens, see what it was told, have it told again."""

import json
import secrets
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, Page, example, row_before
from handlers.api.calls import Answer, Ask, Call
from handlers.api.happenings import CHOICES, EXAMPLE
from store import audit, deliveries, outside, webhooks
from store.deliveries import State

GROUP = "Webhooks"
PAGE = 50


def _kind(given: str) -> str:
    if given not in CHOICES:
        raise PydanticCustomError("enum", "This kind isn't known")
    return given


KindName = Annotated[str, AfterValidator(_kind), Field(json_schema_extra={"enum": list(CHOICES)})]
Url = Annotated[str, Field(max_length=outside.URL_CHARS_MAX, json_schema_extra={"format": "uri"})]
Kinds = Annotated[list[KindName], Field(min_length=1, max_length=len(CHOICES))]
Note = Annotated[str, Field(max_length=webhooks.NOTE_CHARS_MAX)]
_SHOWN = {
    "id": 3, "url": "https://pos.example/regulars", "kinds": ["points.earned", "tier.changed"], "note": "Our POS",
    "on": True, "off": None, "failing_since": None, "created_at": "2026-11-21T07:05:00Z",
}  # fmt: skip


class NewWebhook(Body):
    model_config = example({"url": _SHOWN["url"], "kinds": _SHOWN["kinds"], "note": _SHOWN["note"]})

    url: Url = Field(description="https, at a public address.")
    kinds: Kinds = Field(description="What it is told of; `*`: everything, kinds to come too.")
    note: Note | None = Field(default=None, description="What it is for, for the people in the console.")


class WebhookChange(Body):
    model_config = example({"on": True})

    url: Url | None = None
    kinds: Kinds | None = None
    note: Note | None = None
    on: bool | None = Field(default=None, description="false: told nothing; true: told again from now on.")


class Webhook(BaseModel):
    model_config = example(_SHOWN)

    id: int
    url: str
    kinds: list[str]
    note: str
    on: bool
    off: str | None = Field(description="Why it is told nothing: by_hand, failing (for a day), gone (it answered 410).")
    failing_since: datetime | None = Field(description="Nothing has reached it since.")
    created_at: datetime


class WebhookWithSecret(Webhook):
    model_config = example(_SHOWN | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})

    secret: str = Field(description="Posts are signed with it. Shown this once.")


class Webhooks(BaseModel):
    model_config = example({"webhooks": [_SHOWN]})

    webhooks: list[Webhook]


class RemovedWebhook(BaseModel):
    model_config = example({"id": 3, "removed": True})

    id: int
    removed: bool


_DELIVERY: dict[str, Any] = {
    "id": 812, "webhook": 3, "kind": "points.earned", "state": "delivered", "attempts": 1, "status": 200, "error": None,
    "created_at": "2026-11-21T07:05:00Z", "next_attempt_at": None, "body": EXAMPLE,
}  # fmt: skip


class Delivery(BaseModel):
    model_config = example(_DELIVERY)

    id: int
    webhook: int
    kind: str
    state: State
    attempts: int
    status: int | None = Field(description="The last HTTP status that came.")
    error: str | None = Field(
        description="Why none came, or wasn't enough: timeout, no_connection, no_such_host, certificate, cut_off, redirect, "
        "private_address."
    )
    created_at: datetime
    next_attempt_at: datetime | None
    body: dict[str, Any] = Field(description="What is posted.")


class Deliveries(BaseModel):
    model_config = example({"deliveries": [_DELIVERY], "next": None})

    deliveries: list[Delivery] = Field(description="Newest first.")
    next: str | None = Field(description="The cursor of the next page, null at the end.")


class DeliveryPage(Page):
    state: State | None = None


async def add(ask: Ask, body: NewWebhook) -> Answer:
    secret = webhooks.new_secret()

    def write(session: Session) -> webhooks.Endpoint:
        made = webhooks.add(
            session, ask.shop_id, body.url, body.kinds, ask.site.seal.close(secret), note=body.note or "",
            private=ask.site.private_webhooks,
        )  # fmt: skip
        audit.record(session, ask.actor, "webhook_added", ask.shop_id, webhook=made.id, url=made.url, kinds=made.kinds)
        return made

    return 201, WebhookWithSecret(**_fields(await ask.write(write)), secret=secret)


async def every(ask: Ask) -> Answer:
    found = await ask.read(webhooks.of_shop, ask.shop_id)
    return 200, Webhooks(webhooks=[Webhook(**_fields(one)) for one in found])


async def get(ask: Ask) -> Answer:
    return 200, Webhook(**_fields(await ask.read(webhooks.get, ask.number("webhook"), ask.shop_id)))


async def change(ask: Ask, body: WebhookChange) -> Answer:
    endpoint_id = ask.number("webhook")

    def write(session: Session) -> webhooks.Endpoint:
        before, after = webhooks.change(
            session, endpoint_id, ask.shop_id, private=ask.site.private_webhooks, url=body.url, kinds=body.kinds,
            note=body.note, on=body.on,
        )  # fmt: skip
        changed = {
            name: [getattr(before, name), getattr(after, name)] for name in ("url", "kinds", "note", "off")
            if getattr(before, name) != getattr(after, name)
        }  # fmt: skip
        if changed:
            audit.record(session, ask.actor, "webhook_changed", ask.shop_id, webhook=endpoint_id, changed=changed)
        return after

    return 200, Webhook(**_fields(await ask.write(write)))


async def renew(ask: Ask) -> Answer:
    endpoint_id, secret = ask.number("webhook"), webhooks.new_secret()

    def write(session: Session) -> webhooks.Endpoint:
        audit.record(session, ask.actor, "webhook_secret", ask.shop_id, webhook=endpoint_id)
        return webhooks.renew(session, endpoint_id, ask.shop_id, ask.site.seal.close(secret))

    return 200, WebhookWithSecret(**_fields(await ask.write(write)), secret=secret)


async def remove(ask: Ask) -> Answer:
    endpoint_id = ask.number("webhook")

    def write(session: Session) -> None:
        gone = webhooks.remove(session, endpoint_id, ask.shop_id)
        audit.record(session, ask.actor, "webhook_removed", ask.shop_id, webhook=gone.id, url=gone.url)

    await ask.write(write)
    return 200, RemovedWebhook(id=endpoint_id, removed=True)


async def ping(ask: Ask) -> Answer:
    name = f"ping.{secrets.token_hex(8)}"
    made = await ask.write(deliveries.ping, ask.number("webhook"), ask.shop_id, name)
    return 201, shown(await ask.read(deliveries.find, made, ask.shop_id))


async def told(ask: Ask, query: DeliveryPage) -> Answer:
    endpoint_id, before = ask.number("webhook"), row_before(query.cursor)

    def look(session: Session) -> list[deliveries.Delivery]:
        webhooks.get(session, endpoint_id, ask.shop_id)
        return deliveries.page(session, endpoint_id, PAGE + 1, before=before, state=query.state)

    found = await ask.read(look)
    following = str(found[PAGE - 1].id) if len(found) > PAGE else None
    return 200, Deliveries(deliveries=[shown(one) for one in found[:PAGE]], next=following)


async def replay(ask: Ask) -> Answer:
    return 200, shown(await ask.write(deliveries.replay, ask.number("delivery"), ask.shop_id))


def shown(found: deliveries.Delivery) -> Delivery:
    """A delivery as the API shows it."""
    return Delivery(
        id=found.id,
        webhook=found.endpoint_id,
        kind=found.kind,
        state=State(found.state),
        attempts=found.attempts,
        status=found.status,
        error=found.error,
        created_at=found.created_at,
        next_attempt_at=found.due_at if found.state == State.WAITING else None,
        body=json.loads(found.body),
    )


def _fields(endpoint: webhooks.Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id, "url": endpoint.url, "kinds": endpoint.kinds, "note": endpoint.note,
        "on": endpoint.off is None, "off": endpoint.off, "failing_since": endpoint.failing_since,
        "created_at": endpoint.created_at,
    }  # fmt: skip


CALLS = (
    Call(
        "POST", "/webhooks", GROUP, "Register a webhook", add, {201: WebhookWithSecret}, body=NewWebhook,
        refusals=["conflict"], words="It is told what happens at your shop from now on. Keep the secret.",
    ),
    Call("GET", "/webhooks", GROUP, "List the webhooks", every, {200: Webhooks}),
    Call("GET", "/webhooks/{id}", GROUP, "Read a webhook", get, {200: Webhook}, refusals=["not_found"]),
    Call(
        "PATCH", "/webhooks/{id}", GROUP, "Change a webhook", change, {200: Webhook}, body=WebhookChange,
        refusals=["not_found"], words="What is missing stays. Switched on again, what waited for it is posted at once.",
    ),
    Call(
        "POST", "/webhooks/{id}/secret", GROUP, "Renew a webhook's secret", renew, {200: WebhookWithSecret},
        refusals=["not_found"], words="For a day posts carry a signature by each of the two secrets, the new one first.",
    ),
    Call(
        "DELETE", "/webhooks/{id}", GROUP, "Remove a webhook", remove, {200: RemovedWebhook}, refusals=["not_found"],
        words="What it was told is forgotten, too.",
    ),
    Call(
        "POST", "/webhooks/{id}/ping", GROUP, "Try a webhook out", ping, {201: Delivery}, refusals=["not_found"],
        words="Posts something of the kind `ping`.",
    ),
    Call(
        "GET", "/webhooks/{id}/deliveries", GROUP, "Read what a webhook was told", told, {200: Deliveries},
        query=DeliveryPage, refusals=["not_found"], words=f"Newest first, {PAGE} a page, kept for 30 days.",
    ),
    Call(
        "POST", "/webhook-deliveries/{id}/replay", GROUP, "Post a delivery again", replay, {200: Delivery},
        refusals=["not_found"], words="At once and, if need be, for another day; under the same `webhook-id`.",
    ),
)  # fmt: skip
