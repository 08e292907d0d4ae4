"""Flows: from a YAML document to one event run. No database, no network, no clock."""
