"""Problems: every refusal of the API as RFC 9457 `application/problem+json` with a stable `code`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from loyalty.attempts import TooManyError
from loyalty.points.ledger import UncoveredError
from store.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    MovedError,
    NotFoundError,
    RuleError,
    StoreUnreachableError,
)

TRY_AGAIN_SECONDS = 2
ERRORS_MAX = 20


class FieldError(BaseModel):
    """One field that can't be taken."""

    field: str = Field(description="Its name; a dot leads into an object: `customer.phone`.")
    problem: str = Field(description="A stable word for what is wrong: required, type, format, range, length, zone …")
    detail: str = Field(description="The same for a person.")


class Problem(BaseModel):
    """What every refusal looks like (RFC 9457)."""

    type: str = Field(description="Address of this problem's description.")
    title: str
    status: int
    code: str = Field(description="Stable: decide by it, not by the words.")
    detail: str
    errors: list[FieldError] = Field(default=[], exclude_if=lambda errors: not errors, description="With `invalid`.")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: HTTP status, title, and what the caller can do."""

    status: int
    title: str
    mend: str


KINDS: Mapping[str, Kind] = {
    "unauthorized": Kind(401, "The API key is missing or wrong", "Send `Authorization: Bearer KEY`."),
    "rate_limited": Kind(429, "Too many calls", "Wait as many seconds as `Retry-After` says."),
    "invalid_json": Kind(400, "The body is not JSON", "Send one JSON object in UTF-8."),
    "too_large": Kind(413, "The body is too large", "A body may have 1 MB, a picture's 8 MB."),
    "invalid": Kind(422, "A field can't be taken", "`errors` names each field and what is wrong with it."),
    "not_found": Kind(404, "Not found", "Check the number, the phone or the path."),
    "method_not_allowed": Kind(405, "This path has no such method", "`Allow` names those it has."),
    "forbidden": Kind(403, "Not allowed", "Ask the shop's owner."),
    "conflict": Kind(409, "The state forbids it", "Read the thing again and decide anew."),
    "idempotency_key_missing": Kind(
        400, "The header Idempotency-Key is missing", "Send one key per intention, the same at each retry."
    ),
    "idempotency_conflict": Kind(
        409, "This key came before with another body", "Use a new Idempotency-Key for another intention."
    ),
    "insufficient_points": Kind(409, "There aren't enough points", "Take fewer, or top up the shop's wallet."),
    "voucher_unusable": Kind(409, "The voucher can't be used now", "It is used, held by another order or expired."),
    "min_order": Kind(409, "The order is too small for this voucher", "`detail` says what it must come to."),
    "items": Kind(409, "The voucher is for items that aren't on the order", "`detail` says which; send `items`."),
    "hours": Kind(409, "The voucher isn't for this hour or day", "Try again in its hours."),
    "customer": Kind(409, "The code is limited per customer", "Name the `customer`."),
    "not_stackable": Kind(
        409, "Another voucher on the order excludes this one", "Ask /vouchers/check-many for the best."
    ),
    "budget_spent": Kind(409, "The offer's budget is spent", "Raise it, or offer another."),
    "shared_program": Kind(409, "The programme has one code for everybody", "Use its code, or offer single vouchers."),
    "redemption_settled": Kind(409, "The redemption ended otherwise", "`detail` says how it ended."),
    "sold_out": Kind(409, "The programme has nothing left to give", "Raise its stock, or offer another."),
    "limit_reached": Kind(409, "The customer has as many as one may have", "Nothing was issued."),
    "campaign_state": Kind(409, "The campaign's state forbids it", "`detail` says how it stands."),
    "too_few_orders": Kind(409, "There are too few orders to learn from", "Wait until customers have come again."),
    "campaign_late": Kind(409, "The campaign's time has passed", "Write it again with another `send_at`."),
    "too_many": Kind(429, "Too many wrong codes", "Wait as many seconds as `Retry-After` says."),
    "busy": Kind(503, "Many calls want the same thing at this moment", "Nothing was changed: send it again."),
    "store_unreachable": Kind(503, "The database can't be reached", "Nothing was changed: send it again."),
    "internal": Kind(500, "Something broke on our side", "Nothing was changed. Tell us if it stays so."),
}
_PLAIN = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_WORDS = {
    "range": "is out of range",
    "length": "is empty or too long",
    "format": "has the wrong form",
    "zone": "needs a time zone, for example 2026-11-21T14:05:00+07:00",
    "unsupported": "is not what this shop takes",
    "unknown": "is not known",
}
_PYDANTIC = {
    "missing": "required", "enum": "unknown", "literal_error": "unknown", "greater_than_equal": "range",
    "less_than_equal": "range", "greater_than": "range", "less_than": "range", "string_too_long": "length",
    "string_too_short": "length", "too_long": "length", "too_short": "length",
}  # fmt: skip


class ProblemError(Exception):
    """A refusal of the API's own."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.status = status


def invalid(*errors: FieldError) -> ProblemError:
    """422, naming the fields."""
    said = "; ".join(f"{error.field}: {error.detail}" for error in errors)
    return ProblemError("invalid", said, errors=errors)


def field_error(field: str, problem: str) -> FieldError:
    return FieldError(field=field, problem=problem, detail=_WORDS.get(problem, "can't be taken"))


def told(error: Exception) -> ProblemError | None:
    """A problem for what a rule, pydantic or aiohttp raised; None for what nobody foresaw."""
    match error:
        case ProblemError():
            return error
        case ValidationError():
            return invalid(*(_of_pydantic(one) for one in error.errors(include_url=False)[:ERRORS_MAX]))
        case InvalidError():
            return invalid(field_error(error.field, error.problem))
        case TooManyError():
            return ProblemError(error.code, str(error), headers={"Retry-After": str(error.seconds)})
        case NotFoundError():
            return ProblemError("not_found", f"There is no such {error.what}.")
        case ForbiddenError():
            return ProblemError("forbidden")
        case UncoveredError():
            said = f"{error.wanted} points are wanted, {max(0, error.available)} are there."
            return ProblemError(error.code, said, status=409)
        case ConflictError() | RuleError():
            return ProblemError(error.code, f"{error}.", status=409)
        case MovedError():
            return ProblemError("busy", headers={"Retry-After": "1"})
        case StoreUnreachableError():
            return ProblemError("store_unreachable", headers={"Retry-After": str(TRY_AGAIN_SECONDS)})
        case web.HTTPException() if error.status >= 400:
            return ProblemError(_PLAIN.get(error.status, "bad_request"), error.reason, status=error.status)
    return None


def answer(problem: ProblemError, base_url: str) -> web.Response:
    """The problem as an HTTP response."""
    kind = KINDS.get(problem.code)
    status = kind.status if kind else problem.status or 409
    body = Problem(
        type=f"{base_url}/api/docs#problem-{problem.code}",
        title=kind.title if kind else HTTPStatus(status).phrase,
        status=status,
        code=problem.code,
        detail=problem.detail or (kind.mend if kind else ""),
        errors=list(problem.errors),
    )
    return web.Response(
        text=body.model_dump_json(), status=status, content_type="application/problem+json", headers=problem.headers
    )


def _of_pydantic(error: Mapping[str, object]) -> FieldError:
    place = error["loc"]
    assert isinstance(place, tuple)
    kind = str(error["type"])
    problem = _PYDANTIC.get(kind) or ("type" if kind.endswith("_type") else kind)
    return FieldError(field=".".join(map(str, place)) or "body", problem=problem, detail=str(error["msg"]))
