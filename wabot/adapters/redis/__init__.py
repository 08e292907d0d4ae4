"""Redis, for what is fast and expendable: buckets and circuits that many processes share."""

from wabot.adapters.redis.buckets import RedisBuckets
from wabot.adapters.redis.circuits import RedisBreaker
from wabot.adapters.redis.link import Link

__all__ = ["Link", "RedisBreaker", "RedisBuckets"]
