"""Who may ask what: one row for each method and address of the program. `test_rights.py` holds it against the routes and then
asks every cell of it.

A row is a method and an address; a place in it says what fills it: `{id:offer}` an offer (of the asker's shop, or of another
one: `stocked.py` makes them), `{act=refuse}` that word. What follows the address:

* `shared`: what stands there belongs to all shops alike (a customer, a tier), so that there is no other shop's.
* `json`: what it holds is sent as JSON, not as a form.
* `files`: the form carries a file.
* `missing`: who may is told 404, for what the body names isn't there.
* `ends`: who asks this takes the row away, so that everybody gets a fresh one.
* `{"field": …}`: what a form or a call must hold to get as far as the shop's door; `"@offer"` is that row's number.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

HEAD, OWNER, MANAGER, SUPERVISOR, AGENT, CASHIER = "head", "owner", "manager", "supervisor", "agent", "cashier"
"""Roles at one shop of two, as store.staff.Role has them; `head` is an owner of every shop."""


class Door(StrEnum):
    """What opens an address where it is not a role."""

    NOBODY = "nobody"
    """It is open to everybody."""
    VISITOR = "visitor"
    """The browser whose chat it is."""
    KEY = "key"
    """An API key, of the shop whose row it is."""
    SECRET = "secret"
    """What Telegram was told to send along."""


Who = Door | frozenset[str]
DESK: Who = frozenset({HEAD, OWNER, MANAGER, SUPERVISOR, AGENT})
TILL: Who = frozenset({HEAD, OWNER, MANAGER, CASHIER})
CONSOLE: Who = frozenset({HEAD, OWNER, MANAGER})
STAFF: Who = frozenset({HEAD, OWNER})
SHARED: Who = frozenset({HEAD, OWNER, SUPERVISOR})
"""Who may change what colleagues share at the desk."""
LEADS: Who = frozenset({HEAD, OWNER, MANAGER, SUPERVISOR})
"""Whom the agents at the desk ask."""
EVERYWHERE: Who = frozenset({HEAD})

TABLE: tuple[tuple[Who, str], ...] = (
    (
        Door.NOBODY,
        """
        GET    /
        GET    /static/fonts/{name=x.woff2}
        GET    /static/vendor/htmx.js
        GET    /static/{path=regulars.css}
        GET    /api/v1/openapi.json
        GET    /api/docs
        GET    /api/docs.css
        GET    /healthz
        GET    /readyz
        GET    /metrics
        GET    /login
        GET    /login/{token=x}
        POST   /login/{token=x}
        POST   /logout
        GET    /chat
        GET    /till/worker.js
        GET    /lucky/{id:lucky}
        GET    /lucky/{id:lucky}.json
        GET    /p/{slug:slug}
        GET    /p/{slug:slug}/cover.png
        GET    /p/{slug:slug}/qr.png
        GET    /l/{token:link}
        """,
    ),
    (
        Door.VISITOR,
        """
        POST   /chat/send
        GET    /chat/events
        GET    /chat/history
        POST   /chat/seen
        GET    /chat/media/{number:bubble}/{index=0}
        """,
    ),
    (
        Door.SECRET,
        """
        POST   /webhooks/telegram
        """,
    ),
    (
        Door.KEY,
        """
        POST   /api/v1/customers  shared
        GET    /api/v1/customers  shared
        GET    /api/v1/customers/{id:customer}  shared
        GET    /api/v1/customers/{id:customer}/ledger  shared
        POST   /api/v1/customers/{id:customer}/points  shared
        GET    /api/v1/customers/{id:customer}/recognition  shared
        PUT    /api/v1/orders/{external_id:order}  shared
        GET    /api/v1/orders/{external_id:order}
        POST   /api/v1/vouchers/{code:voucher}/check  shared
        POST   /api/v1/vouchers/{code:voucher}/redemptions
        POST   /api/v1/vouchers/check-many  shared
        POST   /api/v1/vouchers/redemptions  shared missing
        POST   /api/v1/redemptions/{id:redemption}/confirm
        POST   /api/v1/redemptions/{id:redemption}/cancel
        POST   /api/v1/redemptions/{id:redemption}/rollback
        POST   /api/v1/voucher-programs  shared
        GET    /api/v1/voucher-programs  shared
        GET    /api/v1/voucher-programs/{id:offer}
        POST   /api/v1/voucher-programs/{id:offer}/vouchers
        POST   /api/v1/voucher-programs/{id:offer}/batches
        GET    /api/v1/voucher-programs/{id:offer}/batches
        GET    /api/v1/batches/{id:batch}
        POST   /api/v1/batches/{id:batch}/stop
        POST   /api/v1/batches/{id:batch}/resume
        GET    /api/v1/recognition  shared
        GET    /api/v1/settlement  shared
        POST   /api/v1/segments/preview  shared
        POST   /api/v1/media  shared
        POST   /api/v1/campaigns  shared missing
        GET    /api/v1/campaigns/{id:campaign}
        POST   /api/v1/campaigns/{id:campaign}/approve
        POST   /api/v1/campaigns/{id:campaign}/pause
        POST   /api/v1/campaigns/{id:campaign}/resume
        POST   /api/v1/campaigns/{id:campaign}/stop
        POST   /api/v1/campaigns/{id:campaign}/retry
        GET    /api/v1/insights/retention  shared
        GET    /api/v1/insights/forecast  shared
        POST   /api/v1/webhooks  shared
        GET    /api/v1/webhooks  shared
        GET    /api/v1/webhooks/{id:webhook}
        PATCH  /api/v1/webhooks/{id:webhook}
        POST   /api/v1/webhooks/{id:webhook}/secret
        DELETE /api/v1/webhooks/{id:webhook}  ends
        POST   /api/v1/webhooks/{id:webhook}/ping
        GET    /api/v1/webhooks/{id:webhook}/deliveries
        POST   /api/v1/webhook-deliveries/{id:delivery}/replay
        *      /api/v1{tail=/nothing}  shared missing
        """,
    ),
    (
        DESK,
        """
        GET    /desk
        GET    /desk/{ticket:ticket}
        GET    /desk/tickets
        GET    /desk/tickets/{ticket:ticket}
        GET    /desk/tickets/{ticket:ticket}/older  {"before": 9}
        GET    /desk/tickets/{ticket:ticket}/customer
        GET    /desk/media/{attachment:attachment}
        POST   /desk/here  {"ticket": "@ticket", "window": "abcdefgh"}
        GET    /desk/tickets/{ticket:ticket}/filed
        POST   /desk/tickets/{ticket:ticket}/filed/{what=tag}  {"value": "x"}
        GET    /desk/tickets/{ticket:ticket}/snooze
        POST   /desk/tickets/{ticket:ticket}/snoozed
        GET    /desk/tickets/{ticket:ticket}/merge
        POST   /desk/tickets/{ticket:ticket}/merged  {"into": "@ticket"}
        GET    /desk/tickets/{ticket:ticket}/split
        POST   /desk/tickets/{ticket:ticket}/parted
        GET    /desk/filters
        POST   /desk/filters
        GET    /desk/tickets/{ticket:ticket}/suggestions
        GET    /desk/tickets/{ticket:ticket}/macros
        POST   /desk/tickets/{ticket:ticket}/macros
        GET    /desk/tickets/{ticket:ticket}/macros/{macro:macro}
        POST   /desk/tickets/{ticket:ticket}/macros/{macro:macro}  {"key": "0123456789abcdef"}
        GET    /desk/find
        GET    /desk/find/list
        GET    /desk/find/palette
        GET    /desk/availability
        POST   /desk/availability
        GET    /desk/tickets/{ticket:ticket}/teams
        POST   /desk/tickets/{ticket:ticket}/team  json {"team": "@team"}
        GET    /desk/tickets/{ticket:ticket}/promises
        GET    /desk/tickets/{ticket:ticket}/promise
        POST   /desk/tickets/{ticket:ticket}/promised
        GET    /desk/promises/{promise:promise}
        POST   /desk/promises/{promise:promise}/changed
        POST   /desk/promises/{promise:promise}/{what=kept}
        GET    /desk/tickets/{ticket:ticket}/deadlines
        POST   /desk/escalations/{escalation:escalation}/mine
        GET    /desk/tickets/{ticket:ticket}/complaint
        GET    /desk/tickets/{ticket:ticket}/complaint/{sheet=level}
        POST   /desk/tickets/{ticket:ticket}/complaint/{act=mark}
        GET    /desk/tickets/{ticket:ticket}/goodwill
        GET    /desk/tickets/{ticket:ticket}/goodwill/give
        POST   /desk/tickets/{ticket:ticket}/goodwill/give  {"key": "0123456789abcdef", "points": "1", "reason": "x", "after": "0"}
        POST   /desk/tickets/{ticket:ticket}/{kind=note}  files {"key": "0123456789abcdef", "text": "x"}
        POST   /desk/tickets/{ticket:ticket}/{action=claim}
        POST   /desk/messages/{message:message}/{action=retry}
        GET    /desk/events
        GET    /desk/care
        GET    /desk/tickets/{ticket:ticket}/care
        POST   /desk/care/{task:care_task}/{act=done}
        """,
    ),
    (
        SHARED,
        """
        POST   /desk/filters/{view:view}/remove  ends
        """,
    ),
    (
        LEADS,
        """
        GET    /shop/support
        GET    /shop/support/figures
        GET    /shop/support/rows.xlsx
        GET    /shop/support/{sheet=cases}.csv
        POST   /desk/macros/{macro:macro}/remove  ends
        POST   /desk/goodwill/{goodwill:goodwill}/{act=refuse}
        """,
    ),
    (
        EVERYWHERE,
        """
        POST   /shop/setup/token
        POST   /shop/referrals/terms
        GET    /desk/dead-letters
        POST   /desk/dead-letters/replay
        POST   /shop/plan/common
        POST   /shop/privacy/periods
        POST   /shop/privacy/inactive
        POST   /shop/settings/programme
        POST   /shop/manners
        POST   /shop/manners/do-not-call  files
        POST   /shop/manners/costs
        POST   /shop/tiers/rules
        POST   /shop/tiers/{id:tier}
        POST   /shop/tiers/{id:tier}/picture  files
        """,
    ),
    (
        TILL,
        """
        GET    /till
        POST   /till/find  missing {"shop": "@shop", "query": "x"}
        POST   /till/preview  {"shop": "@shop", "amount": 1000}
        POST   /till/sell  {"shop": "@shop", "amount": 1000, "key": "12345678"}
        POST   /till/undo  missing {"shop": "@shop", "sale": 99}
        POST   /till/confirm-phone  {"shop": "@shop", "customer": "@customer", "phone": "0903"}
        GET    /till/cashiers/{shop:shop}
        POST   /till/pin  {"shop": "@shop", "pin": "1"}
        POST   /till/switch  missing {"shop": "@shop", "pin": "1", "staff": 1}
        GET    /till/shift/{shop:shop}
        POST   /till/shift  {"shop": "@shop", "last": 99}
        GET    /till/today/{shop:shop}
        GET    /till/receipt/{shop:shop}/{sale:sale}.png
        """,
    ),
    (
        STAFF,
        """
        POST   /shop/points/top-up
        POST   /shop/insights/digest
        GET    /shop/team
        POST   /shop/campaigns/second
        POST   /shop/team
        POST   /shop/team/{id:member}/link
        POST   /shop/team/{id:member}/remove  ends
        POST   /shop/team/keys
        POST   /shop/team/keys/{id:key}/revoke  ends
        GET    /shop/setup
        POST   /shop/setup/link
        POST   /shop/setup/test
        POST   /shop/setup/poster
        GET    /shop/audit
        GET    /shop/webhooks
        POST   /shop/webhooks
        GET    /shop/webhooks/{id:webhook}
        POST   /shop/webhooks/{id:webhook}
        POST   /shop/webhooks/{id:webhook}/{action=off}
        POST   /shop/webhooks/deliveries/{id:delivery}/replay
        """,
    ),
    (
        CONSOLE,
        """
        GET    /shop/hours
        GET    /shop/hours/preview
        POST   /shop/hours
        GET    /shop/deadlines
        GET    /shop/deadlines/preview
        POST   /shop/deadlines
        GET    /shop/recognition
        POST   /shop/recognition/streak
        POST   /shop/wins/{id:win}/{action=again}
        GET    /shop/quests/new
        GET    /shop/quests/preview
        POST   /shop/quests
        GET    /shop/quests/{id:quest}
        POST   /shop/quests/{id:quest}
        POST   /shop/quests/{id:quest}/end
        GET    /shop/badges/new
        POST   /shop/badges
        GET    /shop/badges/{id:badge}
        POST   /shop/badges/{id:badge}
        POST   /shop/badges/{id:badge}/{action=resume}
        POST   /shop/badges/{id:badge}/give
        POST   /shop/badges/{id:badge}/picture  files
        GET    /shop/badges/{id:badge}/picture
        GET    /shop/draws/new
        POST   /shop/draws
        GET    /shop/draws/{id:draw}
        POST   /shop/draws/{id:draw}
        POST   /shop/draws/{id:draw}/{action=remove}  ends
        GET    /shop/surprises/new
        POST   /shop/surprises
        GET    /shop/surprises/{id:surprise}
        POST   /shop/surprises/{id:surprise}/end
        GET    /shop/thanks
        POST   /shop/thanks/rules
        POST   /shop/thanks/rules/{id:thanks_rule}/remove  ends
        GET    /shop/thanks/{id:task}
        GET    /shop/thanks/{id:task}/preview
        GET    /shop/thanks/{id:task}/card.png
        POST   /shop/thanks/{id:task}/send
        POST   /shop/thanks/{id:task}/photo  files
        POST   /shop/thanks/{id:task}/skip
        POST   /shop/customers/{id:customer}/thanks
        GET    /shop/requests
        POST   /shop/requests
        POST   /shop/requests/topics
        POST   /shop/requests/topics/{id:topic}
        POST   /shop/requests/tags/{id:tag}
        POST   /shop/requests/tags/{id:tag}/remove  ends
        POST   /shop/requests/fields
        POST   /shop/requests/fields/{id:field}
        GET    /shop/complaints
        POST   /shop/complaints/goodwill/{id:goodwill}/{act=back}
        GET    /shop/complaints/terms
        POST   /shop/complaints/terms
        GET    /shop/feedback
        POST   /shop/feedback/terms
        GET    /shop/articles
        POST   /shop/articles
        GET    /shop/articles/new
        POST   /shop/articles/preview
        POST   /shop/articles/gaps
        GET    /shop/articles/{id:article}
        POST   /shop/articles/{id:article}  {"based_on": "1"}
        POST   /shop/articles/{id:article}/{action=discard}
        GET    /shop/macros
        POST   /shop/macros
        GET    /shop/macros/new
        GET    /shop/macros/{id:macro}
        POST   /shop/macros/{id:macro}  {"name": "Hello", "text_vi": "x", "seen_by": "all"}
        POST   /shop/macros/{id:macro}/remove  ends
        GET    /shop/routing
        GET    /shop/routing/now
        GET    /shop/routing/trial  {"topic": "order", "language": "vi"}
        POST   /shop/routing/rules  {"team": "@team", "topic": "order"}
        POST   /shop/routing/rules/{id:routing_rule}/{action=remove}  ends
        GET    /shop/routing/teams/new
        POST   /shop/routing/teams
        GET    /shop/routing/teams/{id:team}
        POST   /shop/routing/teams/{id:team}
        POST   /shop/routing/teams/{id:team}/remove  ends
        GET    /shop/routing/agents/{id:agent}
        POST   /shop/routing/agents/{id:agent}
        GET    /shop
        GET    /shop/customers
        GET    /shop/customers/{id:customer}
        GET    /shop/customers/{id:customer}/story
        POST   /shop/customers/{id:customer}/points
        POST   /shop/customers/{id:customer}/phone
        POST   /shop/customers/{id:customer}/orders
        POST   /shop/customers/{id:customer}/orders/new
        GET    /shop/customers/{id:customer}/merge
        POST   /shop/customers/{id:customer}/merge
        GET    /shop/orders
        GET    /shop/shifts
        GET    /shop/offers
        POST   /shop/offers
        GET    /shop/offers/new
        GET    /shop/offers/preview
        GET    /shop/offers/{id:offer}
        POST   /shop/offers/{id:offer}
        POST   /shop/offers/{id:offer}/give
        POST   /shop/offers/{id:offer}/code
        POST   /shop/offers/{id:offer}/image  files
        GET    /shop/offers/{id:image}/image
        GET    /shop/offers/{id:offer}/codes
        POST   /shop/offers/{id:offer}/codes
        POST   /shop/offers/{id:offer}/codes/list  files
        GET    /shop/offers/{id:offer}/codes/progress
        POST   /shop/codes/{id:batch}/{action=resume}
        GET    /shop/codes/{id:batch}.csv
        GET    /shop/codes/{id:batch}/rejected.csv
        POST   /shop/offers/{id:offer}/{action=link}
        GET    /shop/share
        GET    /shop/share/{paper=a6}.{kind=png}
        GET    /shop/tiers
        GET    /shop/tiers/rules
        POST   /shop/tiers/rules/preview
        GET    /shop/tiers/{id:tier}  shared
        GET    /shop/tiers/{id:tier}/preview  shared
        GET    /shop/tiers/{id:tier}/card.png  shared
        GET    /shop/points
        POST   /shop/points/{id:adjustment}/{action=refuse}
        GET    /shop/points/settlement.{kind=xlsx}
        GET    /shop/plan
        POST   /shop/plan
        POST   /shop/plan/preview
        GET    /shop/referrals
        POST   /shop/referrals/{id:referral}/{action=refuse}
        GET    /shop/settings
        GET    /shop/settings/preview
        POST   /shop/settings
        GET    /shop/import
        POST   /shop/import  files
        GET    /shop/import/{id:import}
        GET    /shop/import/{id:import}/preview
        GET    /shop/import/{id:import}/progress
        GET    /shop/import/{id:import}/rejected.csv
        POST   /shop/import/{id:import}/start
        POST   /shop/import/{id:import}/{action=discard}  ends
        GET    /shop/journeys
        POST   /shop/journeys
        GET    /shop/journeys/new
        POST   /shop/journeys/shape
        POST   /shop/journeys/flow
        POST   /shop/journeys/trial
        POST   /shop/journeys/ready/{key=welcome}
        GET    /shop/journeys/tasks
        GET    /shop/journeys/pictures/{sha=0000000000000000000000000000000000000000000000000000000000000000}  missing
        POST   /shop/journeys/tasks/{id:journey_task}/{action=done}
        GET    /shop/journeys/{id:journey}
        POST   /shop/journeys/{id:journey}
        GET    /shop/journeys/{id:journey}/people
        POST   /shop/journeys/{id:journey}/{action=off}
        GET    /shop/manners
        GET    /shop/campaigns
        POST   /shop/campaigns
        GET    /shop/campaigns/new
        POST   /shop/campaigns/effect
        GET    /shop/campaigns/{id:campaign}
        POST   /shop/campaigns/{id:campaign}
        GET    /shop/campaigns/{id:campaign}/progress
        GET    /shop/campaigns/{id:campaign}.xlsx
        POST   /shop/campaigns/{id:campaign}/pictures  files
        GET    /shop/campaigns/{id:campaign}/pictures/{place=0}  missing
        POST   /shop/campaigns/{id:campaign}/pictures/{place=0}
        POST   /shop/campaigns/{id:campaign}/test
        POST   /shop/campaigns/{id:campaign}/{action=stop}
        POST   /shop/campaigns/{id:campaign}/approve
        POST   /shop/campaigns/{id:campaign}/refuse
        GET    /shop/privacy
        POST   /shop/privacy/{id:erasure}/{act=answer}
        GET    /shop/customers/{id:customer}/privacy
        POST   /shop/customers/{id:customer}/privacy/consents
        POST   /shop/customers/{id:customer}/privacy/copy.{kind=json}
        POST   /shop/customers/{id:customer}/privacy/erase
        POST   /shop/customers/{id:customer}/privacy/stay
        GET    /shop/care
        GET    /shop/insights
        GET    /shop/insights.xlsx
        POST   /shop/care
        POST   /shop/care/{id:plan}  {"name": "x", "way": "call", "every_days": "30", "every": "30", "owner": "1"}
        POST   /shop/care/{id:plan}/people
        POST   /shop/care/tasks/{id:care_task}/{act=done}
        GET    /shop/incidents
        GET    /shop/incidents/preview
        POST   /shop/incidents
        POST   /shop/incidents/{id:incident}/close
        GET    /shop/customers/{id:customer}/groups
        GET    /shop/segments
        GET    /shop/segments/{id:segment}/count
        POST   /shop/segments/{id:segment}/remove  ends
        GET    /shop/segments/new
        POST   /shop/segments
        GET    /shop/segments/{id:segment}
        POST   /shop/segments/{id:segment}
        POST   /shop/segments/compose
        POST   /shop/segments/effect
        POST   /shop/segments/why
        GET    /shop/segments/upload
        POST   /shop/segments/upload  files
        POST   /shop/segments/{id:list}/upload  files
        GET    /shop/segments/{id:list}/unmatched.csv  missing
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """An address and who may ask it; `fills` says for each place a kind of row (`:offer`) or a word (`=stop`)."""

    method: str
    path: str
    """With {places}, as the router writes it."""
    who: Who
    fills: Mapping[str, str]
    words: frozenset[str]
    """shared, ends, json, files, missing: see above."""
    holds: Mapping[str, Any]

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def named(self) -> bool:
        """Whether the address names a row of a shop."""
        return any(fill.startswith(":") for fill in self.fills.values())


PLACE = re.compile(r"{(\w+)([:=][^}]*)}")


def rows() -> Iterator[Row]:
    for who, lines in TABLE:
        for line in filter(None, map(str.strip, lines.splitlines())):
            method, written, *more = line.split(None, 2)
            words, _, holds = (more[0] if more else "").partition("{")
            yield Row(
                method, PLACE.sub(r"{\1}", written), who, dict(PLACE.findall(written)), frozenset(words.split()),
                json.loads("{" + holds) if holds else {},
            )  # fmt: skip


ROWS = {row.key: row for row in rows()}
"""By method and address; a row that stands twice is told by the test."""
