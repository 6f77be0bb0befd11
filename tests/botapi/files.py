"""Files: what was uploaded, by whom, and under which ids."""

import hashlib
import struct
from dataclasses import dataclass, field

from .errors import Json, Refusal, bad
from .limits import DOWNLOAD_BYTES, PHOTO_BYTES, UPLOAD_BYTES

_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
_SUFFIX = {"photo": "jpg", "voice": "oga", "sticker": "webp", "video": "mp4", "audio": "mp3", "animation": "mp4"}
_MIME = {"voice": "audio/ogg", "video": "video/mp4", "audio": "audio/mpeg", "animation": "video/mp4"}


@dataclass(frozen=True)
class Upload:
    """A part of a multipart body."""

    name: str
    data: bytes
    mime: str = "application/octet-stream"


@dataclass(frozen=True)
class StoredFile:
    """A file Telegram keeps. `data` is None when it came as an address, which is not fetched."""

    id: str
    kind: str
    data: bytes | None
    name: str
    mime: str

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data or b"")

    @property
    def path(self) -> str:
        """Where it is downloaded from."""
        suffix = self.name.rpartition(".")[2] if "." in self.name else _SUFFIX.get(self.kind, "bin")
        return f"{self.kind}s/file_{self.id[-8:]}.{suffix}"

    def describe(self) -> Json:
        """The File object of getFile."""
        return {"file_id": self.id, "file_unique_id": self.id[-12:], "file_size": self.size, "file_path": self.path}

    def content(self) -> Json | list[Json]:
        """What a message holds of it."""
        base: Json = {"file_id": self.id, "file_unique_id": self.id[-12:], "file_size": self.size}
        if self.kind == "photo":
            width, height = _dimensions(self.data or b"")
            return [base | {"width": width, "height": height}]
        if self.kind in ("document", "audio", "video", "animation", "voice"):
            base["mime_type"] = _MIME.get(self.kind, self.mime)
        if self.kind in ("document", "audio", "video", "animation"):
            base["file_name"] = self.name
        if self.kind in ("video", "animation"):
            base |= {"width": 320, "height": 240}
        if self.kind == "sticker":
            base |= {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        if self.kind in ("voice", "audio", "video", "animation", "video_note"):
            base["duration"] = 1
        if self.kind == "video_note":
            base["length"] = 240
        return base


def _dimensions(data: bytes) -> tuple[int, int]:
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    return 100, 100


@dataclass
class Files:
    """All files of one bot."""

    by_id: dict[str, StoredFile] = field(default_factory=dict)
    by_path: dict[str, StoredFile] = field(default_factory=dict)

    def keep(
        self, kind: str, data: bytes | None, name: str = "file", mime: str = "application/octet-stream"
    ) -> StoredFile:
        """Store bytes under a new id."""
        number = len(self.by_id) + 1
        digest = hashlib.sha1(f"{number}:{kind}".encode(), usedforsecurity=False).hexdigest()
        stored = StoredFile(f"{kind[:2].upper()}AC{number:06d}_{digest[:24]}", kind, data, name, mime)
        self.by_id[stored.id] = self.by_path[stored.path] = stored
        return stored

    def take(self, kind: str, value: str, uploads: dict[str, Upload], field_name: str) -> StoredFile:
        """The file a call means: a file id, an `attach://` part, a part of the field's own name, or an address."""
        key = value.removeprefix("attach://") if value.startswith("attach://") else None
        if key is not None or (value == "" and field_name in uploads):
            upload = uploads.get(key or field_name)
            if upload is None:
                raise bad(f'there is no part "{key}" in the request')
            return self._uploaded(kind, upload)
        if value.startswith(("http://", "https://")):
            return self.keep(kind, None, value.rpartition("/")[2] or "file")
        stored = self.by_id.get(value)
        if stored is None:
            raise bad("wrong file identifier/HTTP URL specified")
        if stored.kind != kind and not (kind == "document" and stored.kind != "photo"):
            raise bad(f"can't use file of type {stored.kind.capitalize()} as {kind.capitalize()}")
        return stored

    def _uploaded(self, kind: str, upload: Upload) -> StoredFile:
        if not upload.data:
            raise bad("file must be non-empty")
        if len(upload.data) > UPLOAD_BYTES:
            raise Refusal(413, "Request Entity Too Large")
        if kind == "photo":
            if len(upload.data) > PHOTO_BYTES:
                raise bad("file is too big for a photo; the maximum size is 10485760 bytes")
            if not upload.data.startswith(_IMAGES):
                raise bad("IMAGE_PROCESS_FAILED")
        return self.keep(kind, upload.data, upload.name, upload.mime)

    def get(self, file_id: str) -> StoredFile:
        """A file for getFile, which serves up to 20 MB."""
        stored = self.by_id.get(file_id)
        if stored is None:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if stored.size > DOWNLOAD_BYTES:
            raise bad("file is too big")
        return stored
