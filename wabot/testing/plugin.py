"""The pytest plugin: collects conversations written in YAML."""
