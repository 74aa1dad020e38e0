"""Executes Python's pickle instructions without calling, importing or looking up anything.

A pickle is a program for a stack machine. This machine builds containers, numbers and text; what
the program names becomes a `GlobalName`, what it calls becomes an `InertObject`. A few calls that
mean plain data (see `known_calls`) are answered with that data, by functions of this package.

Reference: the instruction set is documented in Python's `pickletools`.
"""

from __future__ import annotations

import codecs
import pickletools
from collections.abc import Callable
from typing import Any

from triptych.errors import UserError
from triptych.weights.untrusted.byte_cursor import ByteCursor
from triptych.weights.untrusted.inert import GlobalName, InertObject, as_key
from triptych.weights.untrusted.limits import (
    LONGEST_LINE,
    LONGEST_NUMBER_BYTES,
    LONGEST_TEXT_BYTES,
)
from triptych.weights.untrusted.pickle_state import PersistentLoad, PickleContext, PickleState

NEWEST_PROTOCOL = 5
EXTENSION_REGISTRY = "copyreg.extension"
PERSISTENT_ID = GlobalName("", "persistent id")
_STEPS_BETWEEN_COUNTS = 256


def read_pickle(
    data: memoryview,
    context: PickleContext,
    *,
    position: int = 0,
    persistent: PersistentLoad | None = None,
) -> tuple[Any, int]:
    """Carry out one pickle.

    Args:
        data: Bytes in which it stands.
        context: Limits and known calls.
        position: Where it begins.
        persistent: What a persistent identifier stands for; inert by default.

    Returns:
        What it builds, and the position after its end.

    Raises:
        UserError: It is not a whole, well-formed pickle, or goes beyond the limits.
    """
    cursor = ByteCursor(data, position)
    state = PickleState(cursor, context, persistent)
    steps = 0
    while (code := cursor.byte()) != _STOP:
        steps += 1
        if steps == _STEPS_BETWEEN_COUNTS:
            context.budget.take_steps(steps)
            steps = 0
        instruction = _INSTRUCTIONS.get(code)
        if instruction is None:
            raise UserError(f"not a pickle: byte {cursor.position - 1:,} is no instruction")
        instruction(state)
    context.budget.take_steps(steps)
    return state.pop(), cursor.position


def _int(state: PickleState) -> None:
    start = state.cursor.position
    number = state.whole_number()
    line = bytes(state.cursor.data[start : state.cursor.position])
    state.push(bool(number) if line in (b"00\n", b"01\n") else number)


def _long4(state: PickleState) -> None:
    count = state.cursor.number(4, signed=True)
    if count > LONGEST_NUMBER_BYTES:
        raise state.broken(f"announces a number of {count:,} bytes")
    state.push(state.cursor.number(count, signed=True))


def _float(state: PickleState) -> None:
    try:
        state.push(float(state.line_text(LONGEST_NUMBER_BYTES)))
    except ValueError as error:
        raise state.broken("holds no number") from error


def _string(state: PickleState) -> None:
    line = bytes(state.cursor.line(LONGEST_TEXT_BYTES))
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise state.broken("holds text without quotes")
    state.context.budget.take_text(len(line))
    try:
        state.push(codecs.decode(line[1:-1], "unicode_escape"))
    except UnicodeError as error:
        raise state.broken("holds text that is not text") from error


def _outside(state: PickleState) -> None:
    raise UserError("the file refers to data that is kept outside it")


def _append(state: PickleState) -> None:
    item = state.pop()
    state.fill_list(state.top(), [item])


def _extend(state: PickleState) -> None:
    items = state.pop_to_mark()
    state.fill_list(state.top(), items)


def _set_item(state: PickleState) -> None:
    value, key = state.pop(), state.pop()
    state.fill_dict(state.top(), [key, value])


def _set_items(state: PickleState) -> None:
    items = state.pop_to_mark()
    state.fill_dict(state.top(), items)


def _dict(state: PickleState) -> None:
    items = state.pop_to_mark()
    state.push({})
    state.fill_dict(state.top(), items)


def _tuple(state: PickleState, length: int) -> None:
    items = [state.pop() for _ in range(length)]
    state.push(tuple(reversed(items)))


def _pop(state: PickleState) -> None:
    if state.marks and len(state.stack) == state.marks[-1]:
        state.marks.pop()
    else:
        state.pop()


def _stack_global(state: PickleState) -> None:
    name, module = state.pop(), state.pop()
    state.push(state.named(module, name))


def _extension(state: PickleState, num_bytes: int) -> None:
    code = state.cursor.number(num_bytes)
    state.push(state.named(EXTENSION_REGISTRY, str(code)))


def _reduce(state: PickleState) -> None:
    arguments, callee = state.pop(), state.pop()
    state.call(callee, arguments)


def _new_object_with_keywords(state: PickleState) -> None:
    keywords, arguments, callee = state.pop(), state.pop(), state.pop()
    state.call(callee, arguments, keywords)


def _instance(state: PickleState) -> None:
    callee = state.named(state.line_text(), state.line_text())
    state.call(callee, tuple(state.pop_to_mark()))


def _object(state: PickleState) -> None:
    items = state.pop_to_mark()
    if not items:
        raise state.broken("makes an object of nothing")
    state.call(items[0], tuple(items[1:]))


def _build(state: PickleState) -> None:
    given = state.pop()
    state.set_state(given)


def _persistent(state: PickleState, identifier: Any) -> None:
    if state.persistent is None:
        state.push(InertObject(PERSISTENT_ID, (identifier,)))
    else:
        state.push(state.persistent(identifier))


def _protocol(state: PickleState) -> None:
    protocol = state.cursor.byte()
    if protocol > NEWEST_PROTOCOL:
        raise UserError(f"a pickle of protocol {protocol}; up to {NEWEST_PROTOCOL} are known")


_BY_NAME: dict[str, Callable[[PickleState], None]] = {
    "INT": _int,
    "BININT": lambda state: state.push(state.cursor.number(4, signed=True)),
    "BININT1": lambda state: state.push(state.cursor.byte()),
    "BININT2": lambda state: state.push(state.cursor.number(2)),
    "LONG": lambda state: state.push(state.whole_number(ending="L")),
    "LONG1": lambda state: state.push(state.cursor.number(state.cursor.byte(), signed=True)),
    "LONG4": _long4,
    "FLOAT": _float,
    "BINFLOAT": lambda state: state.push(state.cursor.float64()),
    "NONE": lambda state: state.push(None),
    "NEWTRUE": lambda state: state.push(True),
    "NEWFALSE": lambda state: state.push(False),
    "STRING": _string,
    "BINSTRING": lambda state: state.push_text(state.sized_bytes(4), "latin-1"),
    "SHORT_BINSTRING": lambda state: state.push_text(state.sized_bytes(1), "latin-1"),
    "UNICODE": lambda state: state.push_text(state.cursor.line(LONGEST_LINE), "raw_unicode_escape"),
    "SHORT_BINUNICODE": lambda state: state.push_text(state.sized_bytes(1), "utf-8"),
    "BINUNICODE": lambda state: state.push_text(state.sized_bytes(4), "utf-8"),
    "BINUNICODE8": lambda state: state.push_text(state.sized_bytes(8), "utf-8"),
    "SHORT_BINBYTES": lambda state: state.push(bytes(state.sized_bytes(1))),
    "BINBYTES": lambda state: state.push(state.sized_bytes(4)),
    "BINBYTES8": lambda state: state.push(state.sized_bytes(8)),
    "BYTEARRAY8": lambda state: state.push(state.sized_bytes(8)),
    "NEXT_BUFFER": _outside,
    "READONLY_BUFFER": _outside,
    "EMPTY_LIST": lambda state: state.push([]),
    "APPEND": _append,
    "APPENDS": _extend,
    "LIST": lambda state: state.push(state.pop_to_mark()),
    "EMPTY_TUPLE": lambda state: state.push(()),
    "TUPLE": lambda state: state.push(tuple(state.pop_to_mark())),
    "TUPLE1": lambda state: _tuple(state, 1),
    "TUPLE2": lambda state: _tuple(state, 2),
    "TUPLE3": lambda state: _tuple(state, 3),
    "EMPTY_DICT": lambda state: state.push({}),
    "DICT": _dict,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "EMPTY_SET": lambda state: state.push(set()),
    "ADDITEMS": _extend,
    "FROZENSET": lambda state: state.push(frozenset(map(as_key, state.pop_to_mark()))),
    "POP": _pop,
    "DUP": lambda state: state.push(state.top()),
    "MARK": lambda state: state.marks.append(len(state.stack)),
    "POP_MARK": lambda state: state.pop_to_mark().clear(),
    "GET": lambda state: state.recall(state.whole_number()),
    "BINGET": lambda state: state.recall(state.cursor.byte()),
    "LONG_BINGET": lambda state: state.recall(state.cursor.number(4)),
    "PUT": lambda state: state.keep(state.whole_number()),
    "BINPUT": lambda state: state.keep(state.cursor.byte()),
    "LONG_BINPUT": lambda state: state.keep(state.cursor.number(4)),
    "MEMOIZE": lambda state: state.keep(len(state.memo)),
    "EXT1": lambda state: _extension(state, 1),
    "EXT2": lambda state: _extension(state, 2),
    "EXT4": lambda state: _extension(state, 4),
    "GLOBAL": lambda state: state.push(state.named(state.line_text(), state.line_text())),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
    "INST": _instance,
    "OBJ": _object,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_object_with_keywords,
    "PROTO": _protocol,
    "FRAME": lambda state: state.check_length(state.cursor.number(8)),
    "PERSID": lambda state: _persistent(state, state.line_text()),
    "BINPERSID": lambda state: _persistent(state, state.pop()),
}
"""By the names that `pickletools` gives; STOP ends the loop of `read_pickle`."""

_STOP = ord(".")
_INSTRUCTIONS = {
    ord(opcode.code): _BY_NAME[opcode.name]
    for opcode in pickletools.opcodes
    if opcode.name != "STOP"
}
