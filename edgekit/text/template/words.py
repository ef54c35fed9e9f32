"""The words of the language that Jinja2 and the engine's minijinja share."""

from __future__ import annotations

FILTERS = frozenset(
    """
    abs batch capitalize count d default dictsort escape e first float format groupby indent int
    items join last length list lower map max min reject rejectattr replace reverse round safe
    select selectattr slice sort split string sum title tojson trim unique upper
    """.split()
)
TESTS = frozenset(
    """
    boolean defined divisibleby eq equalto even false float ge greaterthan gt in integer iterable le
    lessthan lower lt mapping ne none number odd sequence string true undefined upper
    """.split()
)
FUNCTIONS = frozenset({"range", "dict", "namespace", "raise_exception", "strftime_now", "caller"})
OPERATORS = {
    "Add": "+",
    "Sub": "-",
    "Mul": "*",
    "Div": "/",
    "FloorDiv": "//",
    "Mod": "%",
    "Pow": "**",
    "And": "and",
    "Or": "or",
}
COMPARISONS = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "gteq": ">=",
    "lt": "<",
    "lteq": "<=",
    "in": "in",
    "notin": "not in",
}
