"""What an invoice is called."""

from datetime import date


def financial_year(day: date, begins: int) -> str:
    """The financial year that `day` is in: `26-27`, or `2026` where it is the calendar's."""
    if begins == 1:
        return str(day.year)
    first = day.year if day.month >= begins else day.year - 1
    return f"{first % 100:02}-{(first + 1) % 100:02}"


def number(series: str, year: str, sequence: int) -> str:
    return f"{series}/{year}/{sequence:05}"
