"""What every page shares: who is there, in which language, with which rights; rendering; the headers that keep it safe."""

import base64
import codecs
import hashlib
import hmac
import secrets
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import hdrs, web
from aiohttp_session import get_session, new_session, setup
from aiohttp_session.cookie_storage import EncryptedCookieStorage

from handlers.pictures.colour import readable_on
from handlers.web.compiled import COMPILED
from handlers.web.files import add_files
from handlers.web.lines import setup_lines
from handlers.words import LANGUAGES, Words, words
from store import shops, staff, webchat
from store.engine import Store
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RuleError, StoreUnreachableError
from store.sealed import Seal
from store.staff import Member, Right, Role

HERE = Path(__file__).parent
COOKIE = "regulars"
VISITOR_SECONDS = 400 * 24 * 3600
STAFF_SECONDS = 14 * 24 * 3600
UPLOAD_BYTES_MAX = 21 * 1024 * 1024
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _no_telegram(_token: str) -> str:
    raise ConnectionError("nobody to ask")


@dataclass(frozen=True, slots=True)
class Site:
    """What the composition root gives the pages."""

    store: Store
    secret_key: str
    public_url: str
    """With which links to the pages begin, without a slash at the end."""
    language: str
    links: Callable[[str], list[tuple[str, str]]]
    """(messenger's name, link) of every messenger for a start payload."""
    feed: Callable[[str, dict[str, Any]], Awaitable[None]]
    """Give the web chat's update with its key to the bot; returns after the commit."""
    replay: Callable[[str, str], Awaitable[bool]]
    """Run a dead letter (account, key) again; whether it went through now."""
    private_webhooks: bool = False
    """Webhooks may be on http and in private networks: in a demo, or by setting."""
    ask_bot: Callable[[str], Awaitable[str]] = _no_telegram
    """The public name of the bot that a token is of. Raises ConnectionError."""
    telegram_by_setting: bool = False
    """The bot's token is a setting, not an owner's to change."""
    backups: bool = True
    """The database is saved every night."""
    rate: int = 30
    """Messages a second that leave when many are written to."""

    @property
    def seal(self) -> Seal:
        """What keeps secrets that have to be given back as they were."""
        return Seal(self.secret_key)


class Limits:
    """Counts attempts of anybody at anything, in this process: enough to slow guessing down."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def allow(self, who: str, most: int, seconds: float) -> bool:
        """Whether one more is allowed, `most` within `seconds`; counts it."""
        now = time.monotonic()
        if len(self._times) > 20_000:
            self._times = {key: times for key, times in self._times.items() if times and times[-1] > now - 600}
        times = self._times.setdefault(who, deque())
        while times and times[0] < now - seconds:
            times.popleft()
        if len(times) >= most:
            return False
        times.append(now)
        return True


SITE = web.AppKey("site", Site)
LIMITS = web.AppKey("limits", Limits)
MEMBER = web.RequestKey("member", Member)
WORDS = web.RequestKey("words", Words)
NONCE = web.RequestKey("nonce", str)


def store_of(request: web.Request) -> Store:
    return request.config_dict[SITE].store


def member_of(request: web.Request) -> Member:
    """Who is signed in; only behind `need`."""
    return request[MEMBER]


def words_of(request: web.Request) -> Words:
    return request[WORDS]


def need(right: Right) -> Callable[[Handler], Handler]:
    """A page only for staff with a right at some shop; which shop, the rule itself checks again."""

    def wrap(handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            member = await signed_in(request)
            if member is None:
                if wants_json(request) or request.method not in SAFE_METHODS:
                    raise web.HTTPUnauthorized
                raise web.HTTPFound(f"/login?next={request.rel_url.path}")
            member.need(right)
            request[MEMBER] = member
            request[WORDS] = words(member.language)
            return await handler(request)

        guarded.__name__ = handler.__name__
        return guarded

    return wrap


async def signed_in(request: web.Request) -> Member | None:
    """The member of staff behind the session cookie, while they work here and their sessions were not ended."""
    session = await get_session(request)
    known = session.get("staff")
    if not isinstance(known, dict):
        return None
    store = store_of(request)
    if store.clock.now().timestamp() - known.get("at", 0) > STAFF_SECONDS:
        return None
    try:
        member = await store.read(staff.get, int(known["id"]))
    except NotFoundError:
        return None
    if member.session_epoch != known.get("epoch"):
        return None
    till = known.get("till")
    return member if till is None else replace(member, roles=((Role.CASHIER, int(till)),))


async def by_pin(request: web.Request) -> bool:
    """Whether who is signed in came by a PIN, at a shared till."""
    known = (await get_session(request)).get("staff")
    return isinstance(known, dict) and known.get("till") is not None


async def sign_in(request: web.Request, member: Member, *, till: int | None = None) -> None:
    """Open a browser session; the visitor's chat in the same browser stays theirs, everything else starts anew. `till`:
    the shop whose till is all that the session opens (somebody came by a PIN).
    """
    old = await get_session(request)
    chat = old.get("chat")
    session = await new_session(request)
    session["staff"] = {
        "id": member.id, "epoch": member.session_epoch, "at": int(store_of(request).clock.now().timestamp()),
        "till": till,
    }  # fmt: skip
    if chat is not None:
        session["chat"] = chat


async def sign_out(request: web.Request) -> None:
    session = await get_session(request)
    session.pop("staff", None)


async def visitor_of(request: web.Request) -> int:
    """The web chat of this browser; raises HTTPUnauthorized where it has none (its cookie is lost: the page reloads)."""
    chat_id = (await get_session(request)).get("chat")
    if not isinstance(chat_id, int) or not await store_of(request).read(webchat.exists, chat_id):
        raise web.HTTPUnauthorized
    return chat_id


async def csrf_token(request: web.Request) -> str:
    """The token that forms and scripts of this browser send along."""
    session = await get_session(request)
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(18)
    return str(session["csrf"])


def wants_json(request: web.Request) -> bool:
    accept = request.headers.get(hdrs.ACCEPT, "")
    return "application/json" in accept or "text/event-stream" in accept or request.content_type == "application/json"


async def render(
    request: web.Request, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> web.Response:
    """A page in the reader's language; templates know `words`, `csrf`, `csp_nonce`, `brand`, `on_brand`, `member`, `path`."""
    said = request.get(WORDS) or words(accepted_language(request))
    brand = (context or {}).get("brand") or shops.DEFAULT_BRAND
    full = {
        "words": said, "lang": said.language, "csrf": await csrf_token(request), "csp_nonce": request[NONCE],
        "member": request.get(MEMBER), "Right": Right, "theme": request.cookies.get("theme", ""),
        "path": request.path, **(context or {}),
        "brand": brand, "on_brand": readable_on(brand),
    }  # fmt: skip
    return aiohttp_jinja2.render_template(template, request, full, app_key=_jinja_key(said.language), status=status)


async def render_part(request: web.Request, template: str, context: dict[str, Any]) -> str:
    """A piece of a page as text, for server-sent events and for scripts that put it in."""
    said = request.get(WORDS) or words(accepted_language(request))
    full = {"words": said, "lang": said.language, "csrf": await csrf_token(request), "member": request.get(MEMBER)}
    return aiohttp_jinja2.render_string(template, request, {**full, **context}, app_key=_jinja_key(said.language))


def role_name(said: Words, role: Role) -> str:
    """A role in words."""
    return {
        Role.OWNER: said("Shop owner"), Role.MANAGER: said("Manager"), Role.SUPERVISOR: said("Supervisor"),
        Role.AGENT: said("Agent"), Role.CASHIER: said("Cashier"),
    }[role]  # fmt: skip


def say(said: Words, error: RuleError) -> str:
    """A refusal in the reader's words, with the way on."""
    if isinstance(error, InvalidError):
        return _INVALID(said, error)
    if isinstance(error, NotFoundError):
        return said("We couldn't find that. It may have been removed.")
    if isinstance(error, ForbiddenError):
        return said("Your role doesn't allow this. Ask the shop's owner.")
    known = {
        "insufficient_points": said("There aren't enough points for this."),
        "already_claimed": said("Somebody has already claimed this receipt."),
        "out_of_stock": said("This offer has just run out."),
        "too_many": said("Too many attempts. Please wait a minute and try again."),
    }
    if error.code in known:
        return known[error.code]
    if isinstance(error, ConflictError):
        return said("This has changed in the meantime. Reload the page and look again.")
    return said("That didn't work. Please check and try again.")


def _INVALID(said: Words, error: InvalidError) -> str:  # noqa: N802
    problems = {
        "phone": said("This phone number doesn't look right. Example: 0903 123 456."),
        "total": said("This amount can't be right. Check the number of zeros."),
        "amount": said("This amount can't be right. Check the number of zeros."),
        "points": said("This number of points can't be right."),
        "name": said("A name has between 1 and 80 letters."),
        "code": said("This code doesn't work. Please check it letter by letter."),
    }
    return problems.get(error.field) or said("Please check “{field}”.", field=error.field)


def setup_site(app: web.Application, site: Site) -> None:
    """Sessions, templates, static files and guards; the pages add their own routes."""
    app[SITE] = site
    app[LIMITS] = Limits()
    key = base64.urlsafe_b64encode(hashlib.sha256(b"cookie:" + site.secret_key.encode()).digest()).decode()
    storage = EncryptedCookieStorage(
        key, cookie_name=COOKIE, max_age=VISITOR_SECONDS, httponly=True, samesite="Lax",
        secure=site.public_url.startswith("https://"),
    )  # fmt: skip
    setup_lines(app, site.store.hub)
    app.middlewares.append(_guard)
    setup(app, storage)
    app.middlewares.append(_check_csrf)
    for language in LANGUAGES:
        environment = aiohttp_jinja2.setup(
            app, app_key=_jinja_key(language), loader=jinja2.FileSystemLoader(HERE), autoescape=True,
            extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
            bytecode_cache=COMPILED,
        )  # fmt: skip
        environment.install_gettext_translations(words(language).translations, newstyle=True)  # type: ignore[attr-defined]
    add_files(app)


_KEYS = {language: web.AppKey(f"jinja_{language}", jinja2.Environment) for language in LANGUAGES}


def _jinja_key(language: str) -> web.AppKey[jinja2.Environment]:
    return _KEYS.get(language, _KEYS["vi"])


def accepted_language(request: web.Request) -> str:
    """The first of the browser's languages that is ours, else the installation's."""
    for part in request.headers.get(hdrs.ACCEPT_LANGUAGE, "").split(","):
        language = part.split(";")[0].strip()[:2].lower()
        if language in LANGUAGES:
            return language
    return request.config_dict[SITE].language


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Headers for every answer, and words for every error."""
    if request.path.startswith("/webhooks/"):
        return await handler(request)
    request[NONCE] = secrets.token_urlsafe(12)
    pages = not request.path.startswith(("/api/", "/metrics", "/healthz", "/readyz"))
    try:
        response = await handler(request)
    except RuleError as error:
        if not pages:
            raise
        response = await _refused(request, error)
    except StoreUnreachableError:
        response = web.json_response({"error": "store unreachable", "retry": True}, status=503)
    except web.HTTPException as error:
        if not pages or error.status < 400 or wants_json(request):
            raise
        response = await render(request, "templates/error.html", {"status": error.status}, status=error.status)
    except OverflowError:
        # A number that no row can have.
        if not pages:
            raise
        response = await _refused(request, InvalidError("number", "range"))
    except ConnectionResetError:
        # Who asked has gone before they had said it all.
        raise web.HTTPBadRequest from None
    except ValueError as error:
        if not _unreadable(request, error):
            raise
        raise web.HTTPBadRequest from None
    if not response.prepared:
        headers = response.headers
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault(
            "Content-Security-Policy",
            "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
            f"style-src 'self' 'nonce-{request[NONCE]}'; style-src-attr 'unsafe-inline'; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
        )
        if pages and not request.path.startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")
    return response


def _known_letters(request: web.Request) -> None:
    """Raises HTTPUnsupportedMediaType where the body is written in letters that nobody knows."""
    try:
        codecs.lookup(request.charset or "utf-8")
    except LookupError:
        raise web.HTTPUnsupportedMediaType from None


def _unreadable(request: web.Request, error: ValueError) -> bool:
    """Whether a form in parts broke off aiohttp's reading of it: it tells so by a bare ValueError."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return request.content_type.startswith("multipart/") and "aiohttp" in Path(last.filename).parts


async def _refused(request: web.Request, error: RuleError) -> web.Response:
    status = (
        404 if isinstance(error, NotFoundError)
        else 403 if isinstance(error, ForbiddenError)
        else 409 if isinstance(error, ConflictError)
        else 422
    )  # fmt: skip
    said = request.get(WORDS) or words(accepted_language(request))
    if wants_json(request) or request.method not in SAFE_METHODS:
        return web.json_response({"error": say(said, error), "code": error.code, "retry": False}, status=status)
    return await render(request, "templates/error.html", {"status": status, "message": say(said, error)}, status=status)


@web.middleware
async def _check_csrf(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever changes something on a page carries the browser's own token; other systems use keys, not cookies."""
    if request.method in SAFE_METHODS or request.path.startswith(("/api/", "/webhooks/")):
        return await handler(request)
    _known_letters(request)
    session = await get_session(request)
    wanted = session.get("csrf")
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.content_type == "application/x-www-form-urlencoded":
        field = (await request.post()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if not wanted or not given or not hmac.compare_digest(str(wanted), given):
        said = request.get(WORDS) or words(accepted_language(request))
        text = said("This page was open for too long. Reload it and try again.")
        return web.json_response({"error": text, "code": "csrf", "retry": False}, status=403)
    return await handler(request)
