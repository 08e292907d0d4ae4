"""A POST that is sent twice under one `Idempotency-Key` works once, and is answered twice."""

from collections.abc import Callable

from flask import Request, Response


class Idempotency:
    def once(self, request: Request, work: Callable[[], Response]) -> Response:
        return work()
