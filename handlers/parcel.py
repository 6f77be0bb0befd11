"""A customer's own copy as one file: a page that anybody can read, the same as JSON, and the photos and recordings."""

import json
import zipfile
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2

from handlers.words import Words
from support.duties.parcels import Parcel

NAME, PAGE, DATA = "regulars-{number}.zip", "index.html", "data.json"
_TEMPLATE = Path(__file__).with_name("parcel.html")
_PLAYED = {"voice": "audio", "audio": "audio", "video": "video"}


def pack(said: Words, parcel: Parcel, zone: str, at: datetime) -> bytes:
    """The copy as a ZIP archive, in the reader's words and on the zone's clock. Much work: not with the pen in hand."""
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(PAGE, page(said, parcel, zone, at))
        archive.writestr(DATA, data(parcel))
        for file in parcel.files:
            if file.content is not None:
                # Pictures and recordings are small already.
                archive.writestr(zipfile.ZipInfo(file.name), file.content, zipfile.ZIP_STORED)
    return whole.getvalue()


def data(parcel: Parcel) -> str:
    """The same facts for another program."""
    return json.dumps(parcel.told, ensure_ascii=False, indent=2)


def page(said: Words, parcel: Parcel, zone: str, at: datetime) -> str:
    """The page: everything in sentences and tables, with the files beside their messages."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))

    def moment(text: str | None) -> str:
        return said.moment(datetime.fromisoformat(text), zone) if text else ""

    def day(text: str | None) -> str:
        if not text:
            return ""
        kept = datetime.fromisoformat(text)
        return said.date((kept.astimezone(ZoneInfo(zone)) if kept.tzinfo else kept).date())

    left_out = sum(one.content is None for one in parcel.files)
    values: dict[str, Any] = {
        **parcel.told, "_": said, "words": said, "moment": moment, "day": day, "at": said.moment(at, zone),
        "language": said.language, "played": _PLAYED, "left_out": left_out,
        "too_large": said.plural(
            "{n} file was too large for this copy. Ask us for it with /support.",
            "{n} files were too large for this copy. Ask us for them with /support.", left_out,
        ),
        "who": {"customer": said("You (customer)"), "agent": said("The shop"), "bot": said("Automatic answer")},
        "states": {
            "new": said("new"), "open": said("open"), "waiting_customer": said("waiting for you"), "snoozed": said("open"),
            "resolved": said("solved"), "closed": said("closed"),
        },
        "orders_are": {
            "pending": said("on its way"), "completed": said("completed"), "cancelled": said("cancelled"),
            "refunded": said("refunded"),
        },
        "purposes": {"care": said("Care and questions"), "advertising": said("Offers")},
    }  # fmt: skip
    return template.render(values)
