"""The stack, the memo and the containers of a pickle machine, and the calls it does not make."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from triptych.errors import UserError
from triptych.weights.untrusted.byte_cursor import ByteCursor
from triptych.weights.untrusted.inert import (
    GlobalName,
    InertObject,
    LongText,
    Stateful,
    as_key,
    kind_of,
)
from triptych.weights.untrusted.limits import (
    LONGEST_NAME_BYTES,
    LONGEST_NUMBER_BYTES,
    LONGEST_TEXT_BYTES,
    MAX_NESTED_FILES,
    STEPS_PER_NESTED_FILE,
    Budget,
)

NOT_ANSWERED = object()
"""What a known call returns when its arguments are not those it knows."""

_MODULES_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}


@dataclass
class PickleContext:
    """Shared state of the pickles of one file.

    Attributes:
        budget: What is left of the file's allowance.
        calls: Functions of this package that answer known calls, by "module.name".
        names: Everything that any of the pickles named.
        depth: 0 for the file itself, 1 in a file nested in it.
    """

    budget: Budget
    calls: Mapping[str, KnownCall]
    names: set[GlobalName] = field(default_factory=set)
    depth: int = 0

    def nested(self) -> PickleContext:
        """Return the context of a file inside this one; it shares budget and names.

        Raises:
            UserError: Files are nested deeper than in any checkpoint.
        """
        if self.depth >= MAX_NESTED_FILES:
            raise UserError("files are nested deeper in it than in any checkpoint")
        self.budget.take_steps(STEPS_PER_NESTED_FILE)
        return replace(self, depth=self.depth + 1)


KnownCall = Callable[[PickleContext, tuple[Any, ...]], Any]
PersistentLoad = Callable[[Any], Any]


class PickleState:
    """The data that the instructions of one pickle work on.

    Args:
        cursor: Where the instructions and their arguments come from.
        context: Limits and known calls.
        persistent: What a persistent identifier stands for; inert by default.
    """

    def __init__(
        self, cursor: ByteCursor, context: PickleContext, persistent: PersistentLoad | None
    ) -> None:
        self.cursor = cursor
        self.context = context
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def broken(self, what: str) -> UserError:
        """Return an error that says where the pickle makes no sense."""
        return UserError(f"broken: the instruction before byte {self.cursor.position:,} {what}")

    # the stack and the memo

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def top(self) -> Any:
        """Return the value on the stack's top, above the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise self.broken("takes more than there is")
        return self.stack[-1]

    def pop(self) -> Any:
        """Take the value off the stack's top."""
        self.top()
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        """Take all values above the last mark, and the mark."""
        if not self.marks:
            raise self.broken("has no beginning")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def keep(self, index: int) -> None:
        """Remember the stack's top under a number."""
        if not 0 <= index < 2**32:
            raise self.broken("keeps something under an impossible number")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        """Push what was remembered under a number."""
        if index not in self.memo:
            raise self.broken("recalls what was never kept")
        self.push(self.memo[index])

    # bytes, text, numbers and names

    def sized_bytes(self, num_size_bytes: int) -> memoryview:
        """Take bytes whose number stands before them."""
        return self.cursor.take(self.cursor.number(num_size_bytes))

    def check_length(self, announced: int) -> None:
        """Check that as many bytes follow as are announced."""
        start = self.cursor.position
        self.cursor.take(announced)
        self.cursor.position = start

    def push_text(self, content: memoryview, encoding: str) -> None:
        """Push text; long text is left undecoded."""
        if len(content) > LONGEST_TEXT_BYTES:
            self.push(LongText(content, encoding))
            return
        self.context.budget.take_text(len(content))
        try:
            self.push(codecs.decode(content, encoding, "surrogatepass"))
        except UnicodeError as error:
            raise self.broken("holds text that is not text") from error

    def whole_number(self, ending: str = "") -> int:
        """Take a line that holds a decimal number.

        The line is short: reading decimal digits takes time that grows with their square.
        """
        text = self.line_text(LONGEST_NUMBER_BYTES).removesuffix(ending)
        try:
            return int(text)
        except ValueError as error:
            raise self.broken("holds no number") from error

    def line_text(self, longest: int = LONGEST_NAME_BYTES) -> str:
        """Take a line of text."""
        try:
            return str(self.cursor.line(longest), "utf-8")
        except UnicodeError as error:
            raise self.broken("holds text that is not text") from error

    def named(self, module: Any, name: Any) -> GlobalName:
        """Return a name, note that it occurs, and look nothing up."""
        if type(module) is not str or type(name) is not str:
            raise self.broken("names something that has no name")
        if len(module) + len(name) > 2 * LONGEST_NAME_BYTES:
            raise self.broken("names something with too long a name")
        found = GlobalName(_MODULES_OF_PYTHON_2.get(module, module), name)
        self.context.names.add(found)
        return found

    # containers

    def fill_dict(self, target: Any, items: list[Any]) -> None:
        """Set items, given as key, value, key, value."""
        if len(items) % 2:
            raise self.broken("has a key without a value")
        pairs = zip(items[::2], items[1::2], strict=True)
        if type(target) is dict:
            target.update((as_key(key), value) for key, value in pairs)
        elif isinstance(target, InertObject):
            target.pairs = target.pairs or []
            target.pairs.extend(pairs)
        else:
            raise self.broken(f"sets items of {kind_of(target)}")

    def fill_list(self, target: Any, items: list[Any]) -> None:
        """Append items."""
        if type(target) is list:
            target.extend(items)
        elif type(target) is set:
            target.update(map(as_key, items))
        elif isinstance(target, InertObject):
            target.items = target.items or []
            target.items.extend(items)
        else:
            raise self.broken(f"appends to {kind_of(target)}")

    # what would run code

    def call(self, callee: Any, arguments: Any, keywords: Any = None) -> None:
        """Push the result of a call: the data that a known call means, else an inert record."""
        if type(arguments) is not tuple:
            raise self.broken(f"calls with {kind_of(arguments)} instead of a tuple")
        if keywords is not None and type(keywords) is not dict:
            raise self.broken(f"calls with {kind_of(keywords)} instead of named arguments")
        answer = NOT_ANSWERED
        if isinstance(callee, GlobalName) and not keywords:
            known = self.context.calls.get(f"{callee.module}.{callee.name}")
            if known is not None:
                answer = known(self.context, arguments)
        if answer is NOT_ANSWERED:
            answer = InertObject(callee, arguments, keywords)
        self.push(answer)

    def set_state(self, state: Any) -> None:
        """Set the state of the record on the stack's top; plain data ignore it."""
        target = self.top()
        if isinstance(target, Stateful):
            target.set_state(state)
