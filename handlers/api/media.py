"""Media over the API: pictures of the shop's own, to be named where something shows them."""

import asyncio
import base64
import binascii

from pydantic import BaseModel, Field

from handlers.api.bodies import Body, example
from handlers.api.calls import Answer, Ask, Call
from handlers.web import uploads
from loyalty.outreach.campaigns import contents
from store.errors import InvalidError

GROUP = "Outreach"
BODY_BYTES_MAX = 8 * 1024 * 1024
_DOT = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""The smallest picture there is."""


class NewMedium(Body):
    model_config = example({"content": _DOT})

    content: str = Field(description="A picture (JPEG, PNG, WebP …) in base64, up to 8 MB of it.")


class Medium(BaseModel):
    model_config = example(
        {"id": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "width": 1600, "height": 900}
    )

    id: str = Field(description="The same for the same picture, however often it is sent.")
    width: int = Field(description="px; what is larger than phones show was made smaller.")
    height: int = Field(description="px.")


async def add(ask: Ask, body: NewMedium) -> Answer:
    try:
        sent = base64.b64decode("".join(body.content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidError("content", "format") from None
    try:
        content, size = await asyncio.to_thread(uploads.to_send, sent)
    except InvalidError as error:
        raise InvalidError("content", error.problem) from None
    made = await ask.write(contents.keep, content, size)
    return 201, Medium(id=made.sha, width=made.width, height=made.height)


CALLS = (
    Call(
        "POST", "/media", GROUP, "Bring a picture", add, {201: Medium}, body=NewMedium, body_bytes=BODY_BYTES_MAX,
        words="It is kept as a JPEG of at most 1,600 px, without what the camera wrote into it, for `pictures` of a campaign.",
    ),
)  # fmt: skip
