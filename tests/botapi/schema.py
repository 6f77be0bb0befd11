"""What each method takes, read from aiogram's method classes: names, types, which are required."""

import datetime as dt
import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from aiogram import methods
from aiogram.client.default import Default
from aiogram.types import InputFile
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .errors import Json, Refusal, bad
from .limits import FORMATTED, hold, type_limits

#: Turns what came in into what is stored; refuses what does not fit. Takes the value and its field's path.
Check = Callable[[object, str], Any]


@dataclass(frozen=True)
class Method:
    """One Bot API method."""

    name: str
    fields: dict[str, Check]
    required: tuple[str, ...]
    returns: Any

    def check(self, params: Json) -> Json:
        """The parameters in their types, without those that are null."""
        checks, checked = self.fields, {}
        for name, value in params.items():
            if name not in checks:
                raise bad(f'unknown parameter "{name}" in {self.name}')
            if value is not None:
                checked[name] = checks[name](value, name)
        for name in self.required:
            if name not in checked:
                raise _missing(name)
        return checked


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A type's fields with their types, which aiogram's types know once they are built."""
    model.model_rebuild()
    return model.model_fields


def _missing(name: str) -> Refusal:
    if name == "text":
        return bad("message text is empty")
    if name in ("chat_id", "user_id", "from_chat_id"):
        return bad(f"{name} is empty")
    return bad(f'parameter "{name}" is required')


def _wrong(path: str, wanted: str) -> Refusal:
    return bad(f'field "{path}" must be of type {wanted}')


def _string(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, "String")
    return value


def _integer(value: object, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise _wrong(path, "Number")


def _number(value: object, path: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise _wrong(path, "Number")


_WORDS = {"true": True, "false": False, "1": True, "0": False}


def _boolean(value: object, path: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    raise _wrong(path, "Boolean")


def _chat_id(value: object, path: str) -> int | str:
    if isinstance(value, str) and value.startswith("@"):
        return value
    return _integer(value, path)


def _one_of(allowed: frozenset[object]) -> Check:
    def check(value: object, path: str) -> Any:
        if value not in allowed:
            raise bad(f'field "{path}" must be one of {sorted(map(str, allowed))}')
        return value

    return check


def _array(item: Check) -> Check:
    def check(value: object, path: str) -> Any:
        if not isinstance(value, list):
            raise _wrong(path, "Array")
        return [item(entry, f"{path}[{index}]") for index, entry in enumerate(value)]

    return check


def _literal(annotation: Any) -> frozenset[object] | None:
    if get_origin(annotation) is Literal:
        return frozenset(arg.value if isinstance(arg, Enum) else arg for arg in get_args(annotation))
    return None


def _is_required(field: FieldInfo) -> bool:
    """aiogram fills in an object's `type` itself, on the wire it is required."""
    return field.is_required() or _literal(field.annotation) is not None


class _Object:
    """Checks one aiogram type; its fields are compiled when first needed, for types contain themselves."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.name = model.__name__
        self._model = model
        self._fields: dict[str, Check] | None = None

    def _compile(self) -> dict[str, Check]:
        model = _fields(self._model)
        self._fields = {field.alias or name: compile_check(field.annotation) for name, field in model.items()}
        self._required = [field.alias or name for name, field in model.items() if _is_required(field)]
        literals = ((field.alias or name, _literal(field.annotation)) for name, field in model.items())
        self._literals = [(name, allowed) for name, allowed in literals if allowed is not None]
        self._limits = {name: limit for name, limit in type_limits(self.name).items() if name not in FORMATTED}
        return self._fields

    def affinity(self, value: Json) -> tuple[bool, int]:
        """How well an object looks like this type: its literals first, then the number of known keys."""
        fields = self._fields or self._compile()
        fits = all(value.get(name) in allowed for name, allowed in self._literals)
        return fits, len(fields.keys() & value.keys())

    def __call__(self, value: object, path: str) -> Json:
        if not isinstance(value, dict):
            raise _wrong(path, "Object")
        fields = self._fields or self._compile()
        checked: Json = {}
        for name, item in value.items():
            if name not in fields:
                raise bad(f'unknown field "{name}" in {path} ({self.name})')
            if item is not None:
                checked[name] = fields[name](item, f"{path}.{name}")
                if name in self._limits:
                    hold(name, checked[name], self._limits[name])
        for name in self._required:
            if name not in checked:
                raise bad(f'can\'t parse {path}: field "{name}" is required in {self.name}')
        return checked


@cache
def _object(model: type[BaseModel]) -> _Object:
    return _Object(model)


def _union(options: list[Check]) -> Check:
    objects = [option for option in options if isinstance(option, _Object)]
    others = [option for option in options if not isinstance(option, _Object)]

    def check(value: object, path: str) -> Any:
        if isinstance(value, dict) and objects:
            return max(objects, key=lambda option: option.affinity(value))(value, path)
        refusal: Refusal | None = None
        for option in others or options:
            try:
                return option(value, path)
            except Refusal as refused:
                refusal = refused
        raise refusal or _wrong(path, "Object")

    return check


_SIMPLE: dict[Any, Check] = {
    str: _string,
    int: _integer,
    float: _number,
    bool: _boolean,
    dt.datetime: _integer,
    dt.timedelta: _integer,
    InputFile: _string,
}


def compile_check(annotation: Any) -> Check:
    """The check of one annotation of aiogram's."""
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return compile_check(args[0])
    if origin in (Union, types.UnionType):
        options = {arg: None for arg in args if arg not in (type(None), Default)}
        if set(options) == {int, str}:
            return _chat_id
        checks = list(dict.fromkeys(compile_check(arg) for arg in options))
        return checks[0] if len(checks) == 1 else _union(checks)
    if origin is list:
        return _array(compile_check(args[0]))
    if (allowed := _literal(annotation)) is not None:
        return _one_of(allowed)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _object(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _one_of(frozenset(member.value for member in annotation))
    return lambda value, path: value


def _decoded(check: Check) -> Check:
    """Forms carry objects and arrays as JSON."""

    def from_text(value: object, path: str) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise bad(f"can't parse {path} JSON object") from None
        return check(value, path)

    return from_text


def _top(annotation: Any) -> Check:
    check = compile_check(annotation)
    plain = set(_SIMPLE.values()) | {_chat_id}
    arguments = set(get_args(annotation)) or {annotation}
    if check in plain or arguments & {str, InputFile} or _literal(annotation) is not None:
        return check
    return _decoded(check)


_CLASSES: dict[str, type[BaseModel]] = {
    cls.__api_method__.lower(): cls
    for cls in (getattr(methods, name) for name in methods.__all__)
    if isinstance(getattr(cls, "__api_method__", None), str)
}
#: Every method's name as Telegram spells it.
METHOD_NAMES = tuple(str(cls.__api_method__) for cls in _CLASSES.values())  # type: ignore[attr-defined]


@cache
def find(name: str) -> Method | None:
    """A method by its name in any case; None when there is no such method."""
    cls = _CLASSES.get(name.lower())
    if cls is None:
        return None
    fields = {field.alias or key: field for key, field in _fields(cls).items()}
    return Method(
        name=str(cls.__api_method__),  # type: ignore[attr-defined]
        fields={key: _top(field.annotation) for key, field in fields.items()},
        required=tuple(key for key, field in fields.items() if _is_required(field)),
        returns=cls.__returning__,  # type: ignore[attr-defined]
    )


def sample(annotation: Any) -> Any:
    """The least value of a type: true, an empty list, an object with its required fields only."""
    args = get_args(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return sample(args[0])
    if (allowed := _literal(annotation)) is not None:
        return min(allowed, key=str)
    if get_origin(annotation) is list:
        return []
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = _fields(annotation)
        return {f.alias or key: sample(f.annotation) for key, f in fields.items() if _is_required(f)}
    return {bool: True, str: "", float: 0.0}.get(annotation, 0)
