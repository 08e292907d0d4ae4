"""Log lines for the operator: JSON, one a line, on the standard library's logger `wabot`.

Nothing of what people write to each other is logged, and of a phone number only a keyed hash.
"""

import hashlib
import hmac
import logging
import traceback

import structlog

NAME = "wabot"


def get_logger() -> structlog.stdlib.BoundLogger:
    """The logger of wabot and of modules; silent until the program gives `logging` a handler."""
    logging.getLogger(NAME).addHandler(_SILENCE)
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(NAME),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    return logger


_SILENCE = logging.NullHandler()


def hash_phone(phone: str, key: bytes) -> str:
    """The same 12 hexadecimal digits for the same number and key; no way back without the key."""
    return hmac.new(key, phone.encode(), hashlib.sha256).hexdigest()[:12]


def describe(error: BaseException) -> dict[str, object]:
    """The kind and the place of an error. Not its message: that may quote what a contact wrote."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
