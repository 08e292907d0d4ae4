"""What an author needs to test flows without an account anywhere.

`Conversation` plays a contact on the real runtime; `FakeChannel`, `ManualClock` and `SequentialIds`
stand in for the world in an app of your own. `FakeProvider` is a provider that fails as it is told, with
`ProviderChannel` or `ProviderLookupChannel` as the way to it; `FakeTwilio` and `FakeMeta` are ones that
speak as Twilio and Meta do.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wabot.testing.conversation import Conversation
    from wabot.testing.fakes import FakeChannel, ManualClock, SequentialIds
    from wabot.testing.meta import FakeMeta
    from wabot.testing.projects import Project
    from wabot.testing.provider import Behaviour, Callback, FakeProvider
    from wabot.testing.provider_channel import ProviderChannel, ProviderLookupChannel
    from wabot.testing.twilio import FakeTwilio

__all__ = [
    "Behaviour",
    "Callback",
    "Conversation",
    "FakeChannel",
    "FakeMeta",
    "FakeProvider",
    "FakeTwilio",
    "ManualClock",
    "Project",
    "ProviderChannel",
    "ProviderLookupChannel",
    "SequentialIds",
]

_HOMES = {
    "Behaviour": "provider",
    "Callback": "provider",
    "Conversation": "conversation",
    "FakeChannel": "fakes",
    "FakeMeta": "meta",
    "FakeProvider": "provider",
    "FakeTwilio": "twilio",
    "ManualClock": "fakes",
    "Project": "projects",
    "ProviderChannel": "provider_channel",
    "ProviderLookupChannel": "provider_channel",
    "SequentialIds": "fakes",
}


def __getattr__(name: str) -> Any:
    # Looked up when used: pytest imports this package in every run, for the plugin.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"wabot.testing.{_HOMES[name]}"), name)
