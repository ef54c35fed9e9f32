"""Printing a parsed template in the part of the language that Jinja2 and the engine's minijinja share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import TemplateError
from edgekit.text.template.reach import Reach
from edgekit.text.template.words import COMPARISONS, FILTERS, FUNCTIONS, OPERATORS, TESTS

if TYPE_CHECKING:
    from jinja2 import nodes


def quoted(text: str) -> str:
    """A string literal that Jinja2 and minijinja read alike."""
    out = []
    for char in text:
        if char in "\\'":
            out.append("\\" + char)
        elif char in "\n\t\r":
            out.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}[char])
        elif ord(char) < 32 or ord(char) == 127:
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return "'" + "".join(out) + "'"


class Printer:
    """Prints a Jinja2 syntax tree in the part of the language that the engine's Jinja shares.

    Every statement stands on a line of its own and strips the space around it; text is printed as string
    literals.
    drop: a text that is left out wherever the template writes it (the BOS token, which the engine writes). reach: what
    only tools reach; there, what cannot be printed is left out.
    left_out: what was, with its line.
    """

    def __init__(self, origin: str, reach: Reach, drop: str = "") -> None:
        self.lines: list[str] = []
        self.left_out: list[str] = []
        self._origin = origin
        self._reach = reach
        self._drop = drop
        self._macros: dict[str, TemplateError | None] = {}
        """Why a macro cannot be printed; None for those that can."""

    def _refuse(self, construct: str, node: nodes.Node) -> TemplateError:
        return TemplateError(
            f"the chat template uses {construct} (line {node.lineno}), which the engine's Jinja cannot do",
            where=self._origin,
            remedy="rewrite that part of the template with if, for, set, filters and slices",
        )

    def _line(self, depth: int, text: str) -> None:
        self.lines.append("  " * depth + text + "\n")

    # statements

    def statements(self, body: Sequence[nodes.Node], depth: int) -> None:
        """Print statements to `lines`, indented by `depth`."""
        for node in body:
            name = type(node).__name__
            method = getattr(self, f"_print_{name.lower()}", None)
            if method is None:
                words = {"Continue": "continue", "Break": "break", "Include": "include", "Import": "import"}
                raise self._refuse(f"`{words.get(name, name.lower())}`", node)
            method(node, depth)

    def _print_output(self, node: Any, depth: int) -> None:
        from jinja2 import nodes

        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                text = part.data.replace(self._drop, "") if self._drop else part.data
                if text:
                    self._line(depth, f"{{{{- {quoted(text)} -}}}}")
            else:
                self._line(depth, f"{{{{- {self._shown(part)} -}}}}")

    def _print_if(self, node: Any, depth: int) -> None:
        taken = False  # surely, by a branch before
        for word, branch in zip(("if", *["elif"] * len(node.elif_)), (node, *node.elif_), strict=True):
            never = taken or self._reach.never(branch.test)
            self._line(depth, f"{{%- {word} {self._test(branch.test, never)} -%}}")
            self._branch(branch.body, depth + 1, never)
            taken = taken or self._reach.always(branch.test)
        if node.else_:
            self._line(depth, "{%- else -%}")
            self._branch(node.else_, depth + 1, taken)
        self._line(depth, "{%- endif -%}")

    def _test(self, test: Any, never: bool) -> str:
        try:
            return self.expression(test)
        except TemplateError as error:
            if not never:
                raise
            self.left_out.append(error.message)
            return "false"

    def _branch(self, body: Sequence[nodes.Node], depth: int, never: bool) -> None:
        """Print what is under a condition; never: only tools reach it."""
        begin, before = len(self.lines), len(self.left_out)
        try:
            self.statements(body, depth)
        except TemplateError as error:
            if not never:
                raise
            del self.lines[begin:]
            self.left_out[before:] = [error.message]
            self._line(
                depth, "{{- raise_exception('the bundle was made without this part of its chat template') -}}"
            )

    def _print_for(self, node: Any, depth: int) -> None:
        condition = f" if {self.expression(node.test)}" if node.test else ""
        recursive = " recursive" if node.recursive else ""
        target, source = self._target(node.target), self.expression(node.iter)
        self._line(depth, f"{{%- for {target} in {source}{condition}{recursive} -%}}")
        self.statements(node.body, depth + 1)
        if node.else_:
            self._line(depth, "{%- else -%}")
            self.statements(node.else_, depth + 1)
        self._line(depth, "{%- endfor -%}")

    def _print_assign(self, node: Any, depth: int) -> None:
        self._line(depth, f"{{%- set {self._target(node.target)} = {self.expression(node.node)} -%}}")

    def _print_assignblock(self, node: Any, depth: int) -> None:
        through = f" | {self._filters(node.filter)}" if node.filter else ""
        self._line(depth, f"{{%- set {self._target(node.target)}{through} -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endset -%}")

    def _print_filterblock(self, node: Any, depth: int) -> None:
        self._line(depth, f"{{%- filter {self._filters(node.filter)} -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endfilter -%}")

    def _print_macro(self, node: Any, depth: int) -> None:
        self._macros[node.name] = None  # it may call itself
        begin = len(self.lines)
        try:
            self._line(depth, f"{{%- macro {node.name}({self._parameters(node)}) -%}}")
            self.statements(node.body, depth + 1)
            self._line(depth, "{%- endmacro -%}")
        except TemplateError as error:  # matters only where it is called
            del self.lines[begin:]
            self._macros[node.name] = error

    def _print_callblock(self, node: Any, depth: int) -> None:
        parameters = f"({self._parameters(node)})" if node.args else ""
        self._line(depth, f"{{%- call{parameters} {self.expression(node.call)} -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endcall -%}")

    def _print_with(self, node: Any, depth: int) -> None:
        pairs = zip(node.targets, node.values, strict=True)
        settings = ", ".join(f"{self._target(t)} = {self.expression(v)}" for t, v in pairs)
        self._line(depth, f"{{%- with {settings} -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endwith -%}")

    def _print_scope(self, node: Any, depth: int) -> None:
        self.statements(node.body, depth)

    def _parameters(self, node: Any) -> str:
        names = [argument.name for argument in node.args]
        first_default = len(names) - len(node.defaults)
        return ", ".join(
            name if i < first_default else f"{name}={self.expression(node.defaults[i - first_default])}"
            for i, name in enumerate(names)
        )

    def _target(self, node: Any) -> str:
        from jinja2 import nodes

        if isinstance(node, nodes.Tuple):
            return ", ".join(self._target(item) for item in node.items)
        if isinstance(node, nodes.NSRef):
            return f"{node.name}.{node.attr}"
        return str(node.name)

    # expressions

    def expression(self, node: Any) -> str:
        """Print one expression; everything that is not a single word or literal gets parentheses."""
        name = type(node).__name__
        if name in OPERATORS:
            if (
                name == "Mod"
                and type(node.left).__name__ in ("Const", "TemplateData")
                and isinstance(node.left.value, str)
            ):
                raise self._refuse("the % operator on a string", node)
            return f"({self.expression(node.left)} {OPERATORS[name]} {self.expression(node.right)})"
        method = getattr(self, f"_express_{name.lower()}", None)
        if method is None:
            raise self._refuse(f"`{name.lower()}`", node)
        return str(method(node))

    def _express_const(self, node: Any) -> str:
        value = node.value
        if isinstance(value, str):
            return quoted(value.replace(self._drop, "") if self._drop else value)
        if value is None or isinstance(value, bool):
            return str(value).lower()
        return repr(value)

    def _express_templatedata(self, node: Any) -> str:
        return quoted(node.data)

    def _express_name(self, node: Any) -> str:
        return str(node.name)

    def _express_nsref(self, node: Any) -> str:
        return f"{node.name}.{node.attr}"

    def _express_getattr(self, node: Any) -> str:
        return f"{self.expression(node.node)}.{node.attr}"

    def _express_getitem(self, node: Any) -> str:
        from jinja2 import nodes

        inner = self.expression(node.node)
        if isinstance(node.arg, nodes.Slice):
            ends = [node.arg.start, node.arg.stop, node.arg.step]
            printed = ["" if end is None else self.expression(end) for end in ends]
            return f"{inner}[{printed[0]}:{printed[1]}{':' + printed[2] if printed[2] else ''}]"
        return f"{inner}[{self.expression(node.arg)}]"

    def _express_list(self, node: Any) -> str:
        return "[" + ", ".join(self.expression(item) for item in node.items) + "]"

    _express_tuple = _express_list  # minijinja has no tuples of its own

    def _express_dict(self, node: Any) -> str:
        pairs = (f"{self.expression(p.key)}: {self.expression(p.value)}" for p in node.items)
        return "{" + ", ".join(pairs) + "}"

    def _express_concat(self, node: Any) -> str:
        return "(" + " ~ ".join(self._shown(item) for item in node.nodes) + ")"

    def _shown(self, node: Any) -> str:
        """An expression that becomes text: Jinja2 writes True and None, the engine true and none."""
        from jinja2 import nodes

        if isinstance(node, nodes.Const) and (node.value is None or isinstance(node.value, bool)):
            return quoted(str(node.value))
        return self.expression(node)

    def _express_not(self, node: Any) -> str:
        return f"(not {self.expression(node.node)})"

    def _express_neg(self, node: Any) -> str:
        return f"(-{self.expression(node.node)})"

    def _express_pos(self, node: Any) -> str:
        return self.expression(node.node)

    def _express_condexpr(self, node: Any) -> str:
        otherwise = f" else {self.expression(node.expr2)}" if node.expr2 is not None else ""
        try:
            return f"({self.expression(node.expr1)} if {self.expression(node.test)}{otherwise})"
        except TemplateError as error:
            if not self._reach.never(node.test):
                raise
            self.left_out.append(error.message)
            return "''" if node.expr2 is None else self.expression(node.expr2)

    def _express_compare(self, node: Any) -> str:
        left, parts = self.expression(node.expr), []
        for operand in node.ops:  # a < b < c is printed as a < b and b < c
            right = self.expression(operand.expr)
            parts.append(f"{left} {COMPARISONS[operand.op]} {right}")
            left = right
        return "(" + " and ".join(parts) + ")"

    def _express_test(self, node: Any) -> str:
        inner = self.expression(node.node)
        if node.name not in TESTS:
            raise self._refuse(f"the test `is {node.name}`", node)
        if node.name == "none":  # minijinja's is true for what is undefined, and only for that
            return f"({inner} is defined and {inner} == none)"
        if node.name == "sequence":  # in Jinja2 a string and a dictionary are sequences, too
            return f"({inner} is sequence or {inner} is string or {inner} is mapping)"
        if node.name == "iterable":  # to minijinja none is
            return f"({inner} is sequence or {inner} is string or {inner} is mapping)"
        arguments = self._arguments(node)
        return f"({inner} is {node.name}{f'({arguments})' if arguments else ''})"

    def _express_filter(self, node: Any) -> str:
        return f"({self.expression(node.node)} | {self._filter(node)})"

    def _filters(self, node: Any) -> str:
        """The chain of filters of a block, whose first operand is the block's body."""
        before = f"{self._filters(node.node)} | " if node.node is not None else ""
        return before + self._filter(node)

    def _filter(self, node: Any) -> str:
        if node.name not in FILTERS:
            raise self._refuse(f"the filter `{node.name}`", node)
        if node.name == "tojson" and (node.args or node.kwargs):
            raise self._refuse("`tojson` with options", node)
        arguments = self._arguments(node)
        return f"{node.name}({arguments})" if arguments else str(node.name)

    def _arguments(self, node: Any) -> str:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise self._refuse("* or ** arguments", node)
        positional = [self.expression(argument) for argument in node.args]
        return ", ".join([*positional, *(f"{k.key}={self.expression(k.value)}" for k in node.kwargs)])

    def _express_call(self, node: Any) -> str:
        from jinja2 import nodes

        target = node.node
        if isinstance(target, nodes.Name):
            if (unprintable := self._macros.get(target.name)) is not None:
                raise unprintable
            if target.name not in self._macros.keys() | FUNCTIONS and target.name != "loop":
                raise self._refuse(f"the function `{target.name}()`", node)
            return f"{target.name}({self._arguments(node)})"
        if isinstance(target, nodes.Getattr):
            if isinstance(target.node, nodes.Name) and target.node.name == "loop":
                return f"loop.{target.attr}({self._arguments(node)})"
            return self._method(target, node)
        raise self._refuse("a call of an expression", node)

    def _method(self, target: Any, node: Any) -> str:
        """Print a call of a Python method as filters and slices."""
        if node.dyn_args is not None or node.dyn_kwargs is not None or node.kwargs:
            raise self._refuse(f"`.{target.attr}()` with named arguments", node)
        inner = self.expression(target.node)
        arguments = [self.expression(argument) for argument in node.args]
        match target.attr, arguments:
            case "strip", ([] | [_]):
                return f"({inner} | trim{self._called(arguments)})"
            case "rstrip", ([] | [_]):
                guard = self._guard(node)
                return f"(({guard} ~ {inner}) | trim{self._called(arguments)})[1:]"
            case "lstrip", ([] | [_]):
                guard = self._guard(node)
                return f"(({inner} ~ {guard}) | trim{self._called(arguments)})[:-1]"
            case "startswith", [prefix]:
                return f"({inner}[:({prefix} | length)] == {prefix})"
            case "endswith", [suffix]:
                return f"({suffix} == '' or {inner}[-({suffix} | length):] == {suffix})"
            case "split", ([] | [_] | [_, _]):
                return f"({inner} | split{self._called(arguments)} | list)"
            case "replace", [old, new]:
                return f"({inner} | replace({old}, {new}))"
            case (("upper" | "lower" | "title" | "capitalize"), []):
                return f"({inner} | {target.attr})"
            case "join", [items]:
                return f"({items} | join({inner}))"
            case "items", []:
                return f"({inner} | items)"
            case "keys", []:
                return f"({inner} | list)"
            case "get", [key]:
                return f"({inner}[{key}] if {key} in {inner} else none)"
            case "get", [key, default]:
                return f"({inner}[{key}] if {key} in {inner} else {default})"
        raise self._refuse(f"the method `.{target.attr}()`", node)

    @staticmethod
    def _called(arguments: Sequence[str]) -> str:
        return f"({', '.join(arguments)})" if arguments else ""

    def _guard(self, node: Any) -> str:
        """A character that protects the other end of a text while `trim` works on both.

        Filters `lstrip` and `rstrip` would be simpler; runtime 0.11.0 does not have them.
        """
        from jinja2 import nodes

        if not node.args:
            return "'.'"
        if not isinstance(node.args[0], nodes.Const) or not isinstance(node.args[0].value, str):
            raise self._refuse("`.lstrip()` or `.rstrip()` of characters that are not written out", node)
        return quoted(next(c for c in ".,:;-+*#xyz0123456789" if c not in node.args[0].value))
