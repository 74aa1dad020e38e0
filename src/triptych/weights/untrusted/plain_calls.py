"""Calls in a pickle that mean plain Python data: dictionaries, sets, bytes, complex numbers."""

from __future__ import annotations

from typing import Any

from triptych.errors import UserError
from triptych.weights.untrusted.inert import (
    Bytes,
    GlobalName,
    InertObject,
    LongText,
    as_key,
)
from triptych.weights.untrusted.pickle_state import NOT_ANSWERED, KnownCall, PickleContext

_DICTIONARIES = (
    "builtins.dict",
    "collections.OrderedDict",
    "dnnlib.util.EasyDict",
    "dnnlib.EasyDict",
    "torch_utils.misc.EasyDict",
    "easydict.EasyDict",
    "easydict.easydict.EasyDict",
)
_PLAIN_ENCODINGS = ("latin1", "latin-1", "iso-8859-1", "ascii")


def _dictionary(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return {}
    if len(arguments) != 1:
        return NOT_ANSWERED
    (given,) = arguments
    if type(given) is dict:
        context.budget.take_steps(len(given))
        return dict(given)
    if type(given) is not list:
        return NOT_ANSWERED
    context.budget.take_steps(len(given))
    if not all(type(pair) in (tuple, list) and len(pair) == 2 for pair in given):
        return NOT_ANSWERED
    return {as_key(key): value for key, value in given}


def _default_dictionary(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    return {}


def _set(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return set()
    if len(arguments) != 1 or type(arguments[0]) not in (list, tuple, set):
        return NOT_ANSWERED
    context.budget.take_steps(len(arguments[0]))
    return set(map(as_key, arguments[0]))


def _sequence(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return ()
    if len(arguments) != 1 or type(arguments[0]) not in (list, tuple):
        return NOT_ANSWERED
    context.budget.take_steps(len(arguments[0]))
    return tuple(arguments[0])


def _encode(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    """Bytes, as protocols 0 to 2 write them: text, and the encoding that gives the bytes."""
    if len(arguments) != 2 or arguments[1] not in _PLAIN_ENCODINGS:
        return NOT_ANSWERED
    text = arguments[0]
    if isinstance(text, LongText):
        context.budget.take_copy(len(text.content))
        return text.encode("latin-1")
    if type(text) is not str:
        return NOT_ANSWERED
    context.budget.take_copy(len(text))
    try:
        return bytearray(text, "latin-1")
    except UnicodeError as error:
        raise UserError("bytes in the file are written as text that no bytes give") from error


def _bytes(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    # A number as argument would ask for that many zeros, so it is not answered.
    if not arguments:
        return b""
    if len(arguments) == 2:
        return _encode(context, arguments)
    return arguments[0] if isinstance(arguments[0], Bytes) else NOT_ANSWERED


def _complex(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    if len(arguments) != 2 or not all(type(part) is float for part in arguments):
        return NOT_ANSWERED
    return complex(*arguments)


def _reconstructor(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    """Objects as protocols 0 and 1 write them: a class, the built-in type under it, its value."""
    if len(arguments) != 3:
        return NOT_ANSWERED
    kind, base, value = arguments
    if base == GlobalName("builtins", "object") and value is None:
        return InertObject(kind)
    if base == GlobalName("builtins", "dict") and type(value) is dict:
        return value
    return NOT_ANSWERED


def _new_object(context: PickleContext, arguments: tuple[Any, ...]) -> Any:
    """What NEWOBJ means, written as a call."""
    if not arguments:
        return NOT_ANSWERED
    callee, rest = arguments[0], arguments[1:]
    known = None
    if isinstance(callee, GlobalName):
        known = context.calls.get(f"{callee.module}.{callee.name}")
    answer = NOT_ANSWERED if known in (None, _new_object) else known(context, rest)
    return InertObject(callee, rest) if answer is NOT_ANSWERED else answer


PLAIN_CALLS: dict[str, KnownCall] = {
    **dict.fromkeys(_DICTIONARIES, _dictionary),
    "collections.defaultdict": _default_dictionary,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "torch.Size": _sequence,
    "_codecs.encode": _encode,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.complex": _complex,
    "copyreg._reconstructor": _reconstructor,
    "copyreg.__newobj__": _new_object,
}
