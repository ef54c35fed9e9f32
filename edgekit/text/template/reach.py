"""Which parts of a template only tools reach: they are left out where the engine's Jinja cannot print them.

edgekit's bundles carry no tools and no documents. What decides is the value that an expression surely has without
them; whatever is not sure is reached.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jinja2 import nodes

GIVEN: Final = frozenset({"messages", "add_generation_prompt", "loop", "caller", "varargs", "kwargs"})
"""Names that a template is given, besides special tokens and what Jinja defines."""
NONE_WITHOUT_TOOLS: Final = frozenset({"tools", "documents"})
"""What Transformers passes as None."""
_OF_TOOLS: Final = frozenset(
    {"tool_calls", "tool_call_id", "tool_responses", "function_call", "tools", "functions"}
)
"""Keys of messages that only calls of tools have."""
_ROLES_OF_TOOLS: Final = frozenset({"tool", "function", "ipython", "tool_response", "observation"})


class Value(Enum):
    """What an expression is without tools. MAYBE: not known."""

    NONE = "none"
    UNDEFINED = "undefined"
    TRUE = "true"
    FALSE = "false"
    ZERO = "zero"
    MAYBE = "maybe"

    @property
    def truth(self) -> bool | None:
        """Whether it counts as true; None when that is not known."""
        return {Value.TRUE: True, Value.MAYBE: None}.get(self, False)


class Reach:
    """What holds in a template without tools. known: further names that the template is given."""

    def __init__(self, tree: nodes.Template, known: frozenset[str]) -> None:
        from jinja2 import nodes

        assigned: dict[str, list[Any]] = {}
        for node in tree.find_all(nodes.Assign):
            if isinstance(node.target, nodes.Name):
                assigned.setdefault(node.target.name, []).append(node.node)
        stored = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
        stored |= {node.name for node in tree.find_all(nodes.Macro)}
        self._known = known | GIVEN | (stored - set(assigned))
        several = {
            node.target.name for node in tree.find_all(nodes.For) if isinstance(node.target, nodes.Name)
        }
        self._assigned = {name: values for name, values in assigned.items() if name not in several}
        self._known |= several
        self._asked: set[str] = set()

    def never(self, test: Any) -> bool:
        """Whether a test surely fails without tools."""
        return self.value(test).truth is False

    def always(self, test: Any) -> bool:
        """Whether a test surely holds without tools."""
        return self.value(test).truth is True

    def value(self, node: Any) -> Value:
        """What an expression is."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        return Value.MAYBE if method is None else method(node)

    def _const(self, node: Any) -> Value:
        if node.value is None:
            return Value.NONE
        return Value.TRUE if node.value else Value.ZERO if node.value == 0 else Value.FALSE

    def _name(self, node: Any) -> Value:
        name = node.name
        if name in self._asked:  # set from itself
            return Value.MAYBE
        if name in self._assigned:
            self._asked.add(name)
            values = {self.value(value) for value in self._assigned[name]} | self._before(name)
            self._asked.discard(name)
            if len(values) == 1:
                return values.pop()
            return Value.FALSE if all(value.truth is False for value in values) else Value.MAYBE
        return Value.MAYBE if name in self._known else self._outside(name)

    def _before(self, name: str) -> set[Value]:
        """What a name is that the template gives another value, perhaps in some branch only."""
        return {self._outside(name)} if name not in self._known else {Value.MAYBE}

    def _outside(self, name: str) -> Value:
        return Value.NONE if name in NONE_WITHOUT_TOOLS else Value.UNDEFINED

    def _getattr(self, node: Any) -> Value:
        return Value.UNDEFINED if node.attr in _OF_TOOLS else Value.MAYBE

    def _getitem(self, node: Any) -> Value:
        from jinja2 import nodes

        key = node.arg.value if isinstance(node.arg, nodes.Const) else None
        return Value.UNDEFINED if key in _OF_TOOLS else Value.MAYBE

    def _call(self, node: Any) -> Value:
        from jinja2 import nodes

        if isinstance(node.node, nodes.Getattr) and node.node.attr == "get" and len(node.args) == 1:
            key = node.args[0].value if isinstance(node.args[0], nodes.Const) else None
            return Value.NONE if key in _OF_TOOLS else Value.MAYBE
        return Value.MAYBE

    def _not(self, node: Any) -> Value:
        return _from(None if (truth := self.value(node.node).truth) is None else not truth)

    def _and(self, node: Any) -> Value:
        left, right = self.value(node.left).truth, self.value(node.right).truth
        if left is False or right is False:
            return Value.FALSE
        return _from(True if left and right else None)

    def _or(self, node: Any) -> Value:
        left, right = self.value(node.left).truth, self.value(node.right).truth
        if left or right:
            return Value.TRUE
        return _from(False if left is False and right is False else None)

    def _test(self, node: Any) -> Value:
        value = self.value(node.node)
        if value is Value.MAYBE:
            return value
        match node.name:
            case "defined":
                return _from(value is not Value.UNDEFINED)
            case "undefined":
                return _from(value is Value.UNDEFINED)
            case "none":
                return _from(value is Value.NONE)
            case "string" | "mapping" | "number" if value in (Value.NONE, Value.UNDEFINED):
                return Value.FALSE
        return Value.MAYBE

    def _filter(self, node: Any) -> Value:
        value = Value.MAYBE if node.node is None else self.value(node.node)
        if node.name in ("length", "count") and value.truth is False:
            return Value.ZERO
        if node.name in ("list", "trim", "string") and value is Value.UNDEFINED:
            return Value.FALSE
        return Value.MAYBE

    def _compare(self, node: Any) -> Value:
        from jinja2 import nodes

        if len(node.ops) != 1:
            return Value.MAYBE
        (operand,) = node.ops
        left, right = self.value(node.expr), self.value(operand.expr)
        if operand.op in ("eq", "ne"):
            said = {getattr(side, "value", None) for side in (node.expr, operand.expr)} & _ROLES_OF_TOOLS
            names_role = any("role" in _key(side) for side in (node.expr, operand.expr))
            if said and names_role:
                return _from(operand.op == "ne")
            if {left, right} <= {Value.NONE, Value.UNDEFINED}:
                return _from((left is right) == (operand.op == "eq"))
        if operand.op in ("gt", "lt") and left is Value.ZERO and right is Value.ZERO:
            return Value.FALSE
        if (
            operand.op in ("in", "notin")
            and isinstance(node.expr, nodes.Const)
            and node.expr.value in _OF_TOOLS
        ):
            return _from(operand.op == "notin")
        if (
            operand.op == "in"
            and isinstance(operand.expr, nodes.List | nodes.Tuple)
            and "role" in _key(node.expr)
        ):
            names = [getattr(item, "value", None) for item in operand.expr.items]
            return _from(False if names and set(names) <= _ROLES_OF_TOOLS else None)
        return Value.MAYBE


def _key(node: Any) -> str:
    """The key that an expression looks up, as `role` in m['role'], m.role and m.get('role')."""
    arguments = getattr(node, "args", None) or [getattr(node, "arg", None)]
    return str(getattr(node, "attr", None) or getattr(arguments[0], "value", ""))


def _from(truth: bool | None) -> Value:
    return Value.MAYBE if truth is None else Value.TRUE if truth else Value.FALSE
