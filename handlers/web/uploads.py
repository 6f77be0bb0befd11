"""Files that a page sends: read from the form, and known by their bytes rather than by what they say they are."""

import asyncio
from dataclasses import dataclass
from io import BytesIO

from aiohttp import BodyPartReader, web
from PIL import Image, ImageOps, UnidentifiedImageError

from store.errors import InvalidError
from store.media import BYTES_MAX, File

SHOWN_PICTURES = {"image/jpeg", "image/png", "image/webp"}
FIELD_CHARS_MAX = 20_000
NAME_CHARS_MAX = 200
SENT_SIDE = 1_600
"""px of the longer side of a picture to be sent: phones show no more of it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file; `kind` as store.media.Attachment has it."""

    content: bytes
    kind: str
    mime: str
    name: str
    width: int | None = None
    height: int | None = None

    def file(self, sha: str) -> File:
        """The file of a message, its bytes being kept at `sha`."""
        return File(self.kind, self.mime, self.name, len(self.content), self.width, self.height, sha=sha)


async def read_form(request: web.Request, files_max: int) -> tuple[dict[str, str], list[Upload]]:
    """A form's fields and files. Raises InvalidError (a file too big, too many of them), HTTPBadRequest (no form)."""
    try:
        return await _read(request, files_max)
    except (ValueError, AssertionError) as error:
        raise web.HTTPBadRequest from error


async def _read(request: web.Request, files_max: int) -> tuple[dict[str, str], list[Upload]]:
    fields: dict[str, str] = {}
    uploads: list[Upload] = []
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise web.HTTPBadRequest
        if part.filename is None:
            fields[part.name or ""] = (await part.text())[:FIELD_CHARS_MAX]
            continue
        content = bytearray()
        while chunk := await part.read_chunk(1 << 18):
            content += chunk
            if len(content) > BYTES_MAX:
                raise InvalidError("files", "size", part.filename)
        if not content:
            continue
        if len(uploads) >= files_max:
            raise InvalidError("files", "count", files_max)
        mime = part.headers.get("Content-Type", "").split(";")[0].strip() or "application/octet-stream"
        uploads.append(await asyncio.to_thread(examine, bytes(content), mime, part.filename))
    return fields, uploads


def to_send(content: bytes) -> tuple[bytes, tuple[int, int]]:
    """A picture as a JPEG that phones show, its size in px, without what a camera writes into it (where it was taken). Raises
    InvalidError.
    """
    try:
        with Image.open(BytesIO(content)) as opened:
            found = ImageOps.exif_transpose(opened).convert("RGB")
            found.thumbnail((SENT_SIDE, SENT_SIDE))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InvalidError("picture", "format") from None
    kept = BytesIO()
    found.save(kept, "JPEG", quality=85)
    return kept.getvalue(), found.size


def examine(content: bytes, mime: str, name: str) -> Upload:
    """What a file is: a picture only where its bytes are one."""
    name = name.replace("\x00", "").strip()[:NAME_CHARS_MAX]
    if mime.startswith("image/"):
        try:
            with Image.open(BytesIO(content)) as picture:
                found = Image.MIME.get(picture.format or "", "application/octet-stream")
                turned = picture.getexif().get(0x0112) in {5, 6, 7, 8}
                width, height = (picture.height, picture.width) if turned else picture.size
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return Upload(content, "document", "application/octet-stream", name)
        return Upload(content, "photo" if found in SHOWN_PICTURES else "document", found, name, width, height)
    if mime.startswith(("audio/", "video/")):
        return Upload(content, mime.partition("/")[0], mime, name)
    return Upload(content, "document", mime, name)
