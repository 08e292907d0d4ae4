"""What a contact answers, as a typed value: text, numbers, money, dates, places, people, choices."""

from wabot.engine.answers.choices import choose
from wabot.engine.answers.parsing import Answer, Expected, Hearer, Invalid, parse_answer

__all__ = ["Answer", "Expected", "Hearer", "Invalid", "choose", "parse_answer"]
