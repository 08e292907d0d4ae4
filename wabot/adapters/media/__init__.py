"""Contacts' files: fetched from the providers' own servers, kept in a folder."""

from wabot.adapters.media.fetch import MediaFetch
from wabot.adapters.media.folder import FolderStore
from wabot.adapters.media.sources import MetaSource, Source, TwilioSource

__all__ = ["FolderStore", "MediaFetch", "MetaSource", "Source", "TwilioSource"]
