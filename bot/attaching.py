"""Attaching: by what a call names a file: the messenger's own name for it, which needs no bytes, or its bytes in the store."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.base import table
from store.media import Attachment

BY_NAME = frozenset({"photo", "voice", "audio", "document"})
"""Kinds that a messenger sends on by its own name. Of a video it may be the name of something else (a round one, an
animation), which it would refuse."""
ALBUMS = ({"photo", "video"}, {"document"}, {"audio"})
"""Kinds that one album may hold."""
ALBUM_MIN, ALBUM_MAX = 2, 10


def files_for(session: Session, account: str, files: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | str | None:
    """A message's files as calls of an account of ours may name them; None while bytes are still on their way, the reason
    where one can't be had.
    """
    ready = []
    for file in files:
        if file.get("sha") is None and "id" in file:
            if file.get("account") == account and file["kind"] in BY_NAME:
                ready.append({**file, "known": file["file_id"]})
                continue
            a = table(Attachment).c
            row = session.execute(select(a.sha, a.state).where(a.id == file["id"])).first()
            if row is None or row.sha is None:
                if row is not None and row.state == "waiting":
                    return None
                return (
                    "a file is too big" if row is not None and row.state == "too_big" else "a file could not be fetched"
                )
            ready.append({**file, "sha": row.sha})
        else:
            ready.append(dict(file))
    return ready


def medium(file: dict[str, Any]) -> Any:
    """What stands for the file in a call."""
    return file.get("known") or {"$media": file["sha"], "name": file.get("name") or "file"}


def fit_together(files: Sequence[dict[str, Any]]) -> bool:
    """Whether files make one album."""
    kinds = {file["kind"] for file in files}
    return ALBUM_MIN <= len(files) <= ALBUM_MAX and any(kinds <= together for together in ALBUMS)
