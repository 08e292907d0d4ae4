"""What a database keeps of a text."""

import re

_NOWHERE = re.compile("[\0\ud800-\udfff]")


def kept(text: str) -> str:
    """`text` with U+FFFD for what no column of text keeps everywhere: NUL and half a surrogate pair."""
    return _NOWHERE.sub("\ufffd", text)
