"""Expressions and templates: Jinja's grammar, an evaluation of our own.

An expression sees plain data only: objects, lists, text, numbers, money, dates. `a.b` is an item of
an object, never an attribute of Python's; nothing can be called but `In("state")`; names with a
leading underscore are closed; filters and tests are a fixed list; size is bounded when compiled
and when evaluated. `null` renders as nothing, money and dates as the contact's locale writes them.
"""

from wabot.engine.expressions.filters import FILTERS
from wabot.engine.expressions.predicates import PREDICATES
from wabot.engine.expressions.sandbox import Expression, Sandbox, Template, Value

__all__ = ["FILTERS", "PREDICATES", "Expression", "Sandbox", "Template", "Value"]
