"""Token buckets that all processes share: one call of Lua each, by the clock of the server."""

from typing import Any

from wabot.adapters.redis.link import Link
from wabot.core.buckets import Rate, Verdict

PREFIX = "wabot:bucket:"

_TAKE = """
local count, window, burst, idle = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'told')
local passed = math.max(now - (tonumber(found[2]) or now), 0)
local tokens = math.min((tonumber(found[1]) or burst) + passed * count / window, burst)
local told = tonumber(found[3])
local verdict = 'pass'
if tokens >= 1 then
  tokens = tokens - 1
elseif told and now - told < window then
  verdict = 'hush'
else
  verdict = 'tell'
  redis.call('HSET', KEYS[1], 'told', now)
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], idle)
return verdict
"""


class RedisBuckets:
    """`core.buckets.Buckets` in Redis. Without Redis everything passes; after a flush buckets are full."""

    def __init__(self, link: Link, rate: Rate) -> None:
        self._link = link
        self._rate = rate
        self._take = link.script(_TAKE)

    def take(self, key: str) -> Verdict:
        rate = self._rate
        window = int(rate.window.total_seconds() * 1000)
        idle = int(rate.idle.total_seconds() * 1000) + 1
        arguments: list[Any] = [rate.count, window, rate.burst, idle]
        return Verdict(
            self._link.ask(lambda: self._take(keys=[PREFIX + key], args=arguments), Verdict.PASS.value)
        )
