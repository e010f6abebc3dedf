"""What each opcode does to the stack, the marks and the memo, by Python's own rules."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.border.pickles.values import KEEP, Built, Global, Stored, is_wrapper

if TYPE_CHECKING:
    from core.border.pickles.machine import Machine

Argument = Any
"""What stands behind an opcode: a number, a text or bytes, as its kind has it."""


def _mark(m: "Machine", arg: Argument, name: str) -> None:
    m.marks.append(m.stack)
    m.stack = []


def _pop(m: "Machine", arg: Argument, name: str) -> None:
    # On an empty stack POP takes the mark away, as pickle._Unpickler.load_pop does.
    if m.stack:
        m.stack.pop()
    else:
        m.pop_mark()


def _pop_mark(m: "Machine", arg: Argument, name: str) -> None:
    m.pop_mark()


def _dup(m: "Machine", arg: Argument, name: str) -> None:
    m.stack.append(m.stack[-1])


def _empty(m: "Machine", arg: Argument, name: str) -> None:
    m.stack.append({"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": list, "EMPTY_TUPLE": tuple}[name]())


def _tuple(m: "Machine", arg: Argument, name: str) -> None:
    if name == "TUPLE":
        items = m.pop_mark()
        m.stack.append(tuple(items))
        return
    count = int(name[-1])
    if len(m.stack) < count:
        raise IndexError("stack underflow")
    m.stack[-count:] = [tuple(m.stack[-count:])]


def _list(m: "Machine", arg: Argument, name: str) -> None:
    items = m.pop_mark()
    m.stack.append(items[:KEEP])


def _dict(m: "Machine", arg: Argument, name: str) -> None:
    items = m.pop_mark()
    m.stack.append({k: v for k, v in zip(items[::2], items[1::2], strict=True) if type(k) in (str, int)})


def _append(m: "Machine", arg: Argument, name: str) -> None:
    items = m.pop_mark() if name in ("APPENDS", "ADDITEMS") else [m.stack.pop()]
    target = m.stack[-1]
    if isinstance(target, Global):
        m.found.note("changes a class or a function")
    values = target if isinstance(target, list) else target.values if isinstance(target, Built) else []
    values.extend(items[: max(0, KEEP - len(values))])


def _set(m: "Machine", arg: Argument, name: str) -> None:
    items = m.pop_mark() if name == "SETITEMS" else [m.stack.pop() for _ in range(2)][::-1]
    target = m.stack[-1]
    if isinstance(target, Global):
        m.found.note("changes a class or a function")
    table = target if isinstance(target, dict) else target.items if isinstance(target, Built) else {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) in (str, int) and len(table) < KEEP:
            table[key] = value


def _put(m: "Machine", arg: Argument, name: str) -> None:
    # MEMOIZE names no place: it takes the next one by counting the memo (PEP 3154).
    m.memo[len(m.memo) if name == "MEMOIZE" else int(arg)] = m.stack[-1]


def _get(m: "Machine", arg: Argument, name: str) -> None:
    m.stack.append(m.memo[int(arg)])


def _global(m: "Machine", arg: Argument, name: str) -> None:
    if name == "GLOBAL":
        module, _, attribute = arg.partition(" ")
        m.import_name(module, attribute)
        return
    attribute, module = m.stack.pop(), m.stack.pop()
    m.import_name(module, attribute)


def _reduce(m: "Machine", arg: Argument, name: str) -> None:
    # Its keyword arguments lie on top of the positional ones.
    if name == "NEWOBJ_EX":
        m.stack.pop()
    args, callee = m.stack.pop(), m.stack.pop()
    m.call(callee, args)


def _instance(m: "Machine", arg: Argument, name: str) -> None:
    """INST names its class in the opcode, OBJ has it as the first item above the mark."""
    items = m.pop_mark()
    if name == "INST":
        module, _, attribute = arg.partition(" ")
        m.import_name(module, attribute)
        m.call(m.stack.pop(), tuple(items))
        return
    m.call(items[0], tuple(items[1:]))


def _build(m: "Machine", arg: Argument, name: str) -> None:
    state, target = m.stack.pop(), m.stack[-1]
    if isinstance(target, Global):
        m.found.note("changes a class or a function")
    if not isinstance(target, Built):
        return
    if isinstance(state, dict) and isinstance(target.state, dict):
        target.state.update(state)
    else:
        target.state = state
    if m.joblib and is_wrapper(target):
        m.stack[-1] = m.joblib(m, target)


def _persistent(m: "Machine", arg: Argument, name: str) -> None:
    stored = Stored(arg if name == "PERSID" else m.stack.pop())
    m.found.stored.append(stored)
    m.stack.append(stored)


HANDLERS: dict[str, Callable[["Machine", Argument, str], None]] = {
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "EMPTY_TUPLE"), _empty),
    **dict.fromkeys(("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"), _tuple),
    **dict.fromkeys(("APPEND", "APPENDS", "ADDITEMS"), _append),
    **dict.fromkeys(("SETITEM", "SETITEMS"), _set),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), _global),
    **dict.fromkeys(("REDUCE", "NEWOBJ", "NEWOBJ_EX"), _reduce),
    **dict.fromkeys(("INST", "OBJ"), _instance),
    **dict.fromkeys(("PERSID", "BINPERSID"), _persistent),
    "MARK": _mark,
    "POP": _pop,
    "DUP": _dup,
    "LIST": _list,
    "FROZENSET": _list,
    "DICT": _dict,
    "BUILD": _build,
    "POP_MARK": _pop_mark,
}
