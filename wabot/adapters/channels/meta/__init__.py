"""WhatsApp through Meta's Cloud API: messages out over HTTP, webhooks in."""

from wabot.adapters.channels.meta.channel import MetaChannel
from wabot.adapters.channels.meta.codes import refusal_of
from wabot.adapters.channels.meta.webhook import MetaWebhook

__all__ = ["MetaChannel", "MetaWebhook", "refusal_of"]
