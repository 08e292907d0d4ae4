"""Measurements; each module prints JSON lines with `name`, `value`, `unit`, `baseline` and `ratio`."""
