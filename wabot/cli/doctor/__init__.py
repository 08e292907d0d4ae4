"""`wabot doctor`: what would keep a deployment from working, each with its mend."""

from wabot.cli.doctor.run import run

__all__ = ["run"]
