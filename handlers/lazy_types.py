"""aiogram's types, each built when it is first used.

aiogram builds its four hundred types while it is imported, each with all that hangs on it: seconds of every start and a
hundred megabytes, for few of them are ever used. Import this before aiogram; afterwards it changes nothing.
"""

import sys
from typing import Any

from pydantic import BaseModel


def _import_lazily() -> None:
    """Import aiogram, but keep the names its types refer to until somebody uses one."""
    build, names = BaseModel.model_rebuild.__func__, dict[str, Any]()  # type: ignore[attr-defined]

    def later(_cls: type, /, *, _types_namespace: dict[str, Any], **_: Any) -> None:
        names.update(_types_namespace)

    def at_first_use(cls: type, /, *, _types_namespace: dict[str, Any] | None = None, **how: Any) -> bool | None:
        how.pop("_parent_namespace_depth", None)
        built: bool | None = build(cls, _types_namespace=_types_namespace or names, **how)
        return built

    setattr(BaseModel, "model_rebuild", classmethod(later))  # noqa: B010  # a method for the time of one import
    try:
        from aiogram import methods, types
    finally:
        setattr(BaseModel, "model_rebuild", classmethod(build))  # noqa: B010
    for each in (types.TelegramObject, methods.TelegramMethod, methods.Response):
        setattr(each, "model_rebuild", classmethod(at_first_use))  # noqa: B010


if "aiogram" not in sys.modules:
    _import_lazily()
