"""Bodies: JSON from the wire into pydantic models. Strict in types, lenient in fields nobody asked for."""

import json
import math
import re
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from handlers.api.problems import FieldError, ProblemError, field_error, invalid
from loyalty.customers import phones
from loyalty.customers.customers import NAME_CHARS_MAX
from loyalty.orders.orders import MONEY_MAX
from store.errors import InvalidError, NotFoundError

BODY_BYTES_MAX = 1024 * 1024
NUMBER_MAX = 2**63 - 1
FIRST_YEAR, LAST_YEAR = 1900, 9998
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
D = TypeVar("D", date, datetime)
M = TypeVar("M", bound=BaseModel)


def _iso_date(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    day = _parsed(date, given, r"\d{4}-\d\d-\d\d$")
    if day is None:
        raise PydanticCustomError("format", "A date looks like 2026-11-21")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise PydanticCustomError("range", "This year can't be right")
    return day


def _iso_time(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    moment = _parsed(datetime, given, r"\d{4}-\d\d-\d\d[Tt ]\d\d:")
    if moment is None:
        raise PydanticCustomError("format", "A time looks like 2026-11-21T14:05:00+07:00")
    if moment.tzinfo is None:
        raise PydanticCustomError("zone", "The time needs a zone: 2026-11-21T14:05:00+07:00, or Z at its end")
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise PydanticCustomError("range", "This year can't be right")
    return moment


def _parsed(kind: type[D], given: str, form: str) -> D | None:
    try:
        return kind.fromisoformat(given) if re.match(form, given, re.ASCII) else None
    except ValueError:
        return None


def _phone(given: str) -> str:
    try:
        return phones.normal(given)
    except InvalidError:
        raise PydanticCustomError("format", "A phone number looks like 0903 123 456 or +84903123456") from None


Day = Annotated[date, BeforeValidator(_iso_date)]
Moment = Annotated[AwareDatetime, BeforeValidator(_iso_time)]
Phone = Annotated[str, AfterValidator(_phone), Field(examples=["0903123456"])]
Name = Annotated[str, Field(max_length=NAME_CHARS_MAX)]
Money = Annotated[int, Field(ge=0, le=MONEY_MAX)]
RowNumber = Annotated[int, Field(ge=1, le=NUMBER_MAX)]


def example(values: dict[str, Any], **more: Any) -> ConfigDict:
    """A model's configuration with an example of it, and what else its schema says."""
    return ConfigDict(json_schema_extra={"examples": [values], **more})


class Body(BaseModel):
    """What a caller sends: true is no number and "12" is none either; fields nobody knows are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", populate_by_name=True)


class CustomerRef(Body):
    """A customer, by number or by phone: exactly one of the two."""

    # In words only: a `oneOf` beside the fields makes generated clients lose them.
    id: int | None = Field(default=None, description="Ours: this or the phone.")
    phone: Phone | None = Field(default=None, description="As people write it, or in E.164.")

    @model_validator(mode="after")
    def _either(self) -> "CustomerRef":
        if (self.id is None) == (self.phone is None):
            raise PydanticCustomError("either", "Name the customer by id or by phone")
        return self

    @property
    def number(self) -> int | None:
        """The id, if that is what was given; raises NotFoundError for one that can't be anybody's."""
        return None if self.id is None else number(self.id, "customer")


def number(given: str | int, what: str) -> int:
    """A row's number from a path or a body; raises NotFoundError for what can't be one."""
    text = str(given)
    if not re.fullmatch(r"[1-9]\d{0,18}", text, re.ASCII) or int(text) > NUMBER_MAX:
        raise NotFoundError(what, text[:40])
    return int(text)


async def read(request: web.Request, model: type[M], bytes_max: int = BODY_BYTES_MAX) -> M:
    """The request's body. Raises ProblemError (too_large, invalid_json, invalid) and pydantic's ValidationError."""
    raw = await _bytes(request, bytes_max)
    try:
        text = raw.decode("utf-8-sig")
        given = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProblemError("invalid_json") from error
    keepable(given)
    if not isinstance(given, dict):
        raise invalid(FieldError(field="body", problem="type", detail="The body should be a JSON object"))
    return model.model_validate_json(text)


class Page(Body):
    """What a list that comes page by page is asked."""

    cursor: str | None = Field(default=None, max_length=100, description="`next` of the page before.")


def row_before(cursor: str | None) -> int | None:
    """The row before which a page begins, of a list whose cursors are numbers of rows; raises ProblemError."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and int(cursor) <= NUMBER_MAX):
        raise invalid(field_error("cursor", "format"))
    return int(cursor)


def query(request: web.Request, model: type[M]) -> M:
    """The request's query. Raises as `read` does."""
    given = dict(request.query)
    keepable(given)
    return model.model_validate_strings(given)


def keepable(given: Any) -> None:
    """Refuse what no database keeps: NUL, half a surrogate pair, a number without end. Raises ProblemError `invalid`."""
    waiting: list[tuple[str, Any]] = [("", given)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(place, key) for key in value]
            waiting += [(f"{place}.{key}".lstrip("."), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{place}.{index}".lstrip("."), inner) for index, inner in enumerate(value)]
        elif isinstance(value, str):
            if _UNKEEPABLE.search(value):
                raise _unkeepable(place, "holds signs that can't be kept")
        elif isinstance(value, float) and not math.isfinite(value):
            raise _unkeepable(place, "is too large a number")


def _unkeepable(place: str, why: str) -> ProblemError:
    shown = _UNKEEPABLE.sub("\N{REPLACEMENT CHARACTER}", place)[:100]
    return invalid(FieldError(field=shown or "body", problem="characters", detail=why))


def _no_constant(constant: str) -> Any:
    raise ValueError(constant)


async def _bytes(request: web.Request, bytes_max: int) -> bytes:
    if (request.content_length or 0) > bytes_max:
        raise ProblemError("too_large")
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.content.iter_any():
            size += len(part)
            if size > bytes_max:
                raise ProblemError("too_large")
            parts.append(part)
    except web.RequestPayloadError as error:
        raise ProblemError("invalid_json", "The body's encoding is broken.") from error
    return b"".join(parts)
