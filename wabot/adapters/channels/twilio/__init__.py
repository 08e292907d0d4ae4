"""WhatsApp through Twilio: messages out by its SDK, webhooks in."""

from wabot.adapters.channels.twilio.channel import TwilioChannel
from wabot.adapters.channels.twilio.codes import refusal_of
from wabot.adapters.channels.twilio.webhook import TwilioWebhook

__all__ = ["TwilioChannel", "TwilioWebhook", "refusal_of"]
