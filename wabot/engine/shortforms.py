"""The short forms of the language, made long before a model sees them.

The JSON Schema knows each of these functions, and says what it takes.
"""

from typing import Any

from wabot.core.durations import parse_duration

FLAG_WORDS = {"true": True, "yes": True, "on": True, "1": True} | dict.fromkeys(
    ("false", "no", "off", "0", ""), False
)


def flag(value: Any) -> Any:
    if value is None:
        return False
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    return FLAG_WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value


def listed(value: Any) -> Any:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def mapped(value: Any) -> Any:
    """A key with nothing behind it is an empty mapping."""
    return {} if value is None else value


def numbered(value: Any) -> Any:
    """`[a, b]` as `{"1": a, "2": b}`, the variables of a template by their places."""
    if isinstance(value, list):
        return {str(number): item for number, item in enumerate(value, 1)}
    return mapped(value)


def word(value: Any) -> Any:
    """Numbers are text where text is wanted; true and false are not: they want quotes."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def is_word(value: Any) -> bool:
    return isinstance(word(value), str)


def source(value: Any) -> Any:
    """An expression may be written as a bare number, `true` or `false`."""
    return str(value) if isinstance(value, int | float) else value


def duration(value: str) -> str:
    parse_duration(value)
    return value


def event_body(value: Any) -> Any:
    return {"event": value} if is_word(value) else value


def send_id(value: Any) -> Any:
    return {"sendid": value} if is_word(value) else value


def logged(value: Any) -> Any:
    return {"expr": value} if is_word(value) else value


def flow_body(value: Any) -> Any:
    return {"flow": value} if is_word(value) else value


def target_body(value: Any) -> Any:
    return {"target": value} if is_word(value) else value


def lines(value: Any) -> Any:
    """`{yes: Confirm}` as `[{id: yes, title: Confirm}]`."""
    if not isinstance(value, dict):
        words = map(word, listed(value))
        return [{"id": word, "title": word} if isinstance(word, str) else word for word in words]
    if "for" in value:
        return value
    return [{"id": str(id), **(t if isinstance(t, dict) else {"title": t})} for id, t in value.items()]


def empty_states(value: Any) -> Any:
    """`a:` with nothing behind it is a state without anything."""
    if not isinstance(value, dict):
        return mapped(value)
    return {str(name): {} if state is None else state for name, state in value.items()}


def text_is_rich(value: Any) -> Any:
    return {"text": value} if isinstance(value, str | int | float) else value


def variables(value: Any) -> Any:
    """The mapping form, or python-statemachine's `[{id, expr}]` and `{id: expr}`."""
    if isinstance(value, list):
        named: dict[str, Any] = {}
        for item in value:
            if not isinstance(item, dict) or not isinstance(item.get("id"), str):
                raise ValueError("each item of a datamodel list needs an id")
            if item["id"] in named:
                raise ValueError(f'the variable "{item["id"]}" is there twice')
            rest = {key: part for key, part in item.items() if key != "id"}
            if "content" in rest:
                rest["default"] = rest.pop("content")
            named[item["id"]] = rest
        return named
    if not isinstance(value, dict):
        return mapped(value)
    return {
        str(name): item
        if isinstance(item, dict)
        else {"expr": item}
        if isinstance(item, str)
        else {"default": item}
        for name, item in value.items()
    }


def command(value: Any) -> Any:
    """`{catalog.match: {…}, into: lines}` as its command, arguments and variable."""
    if not isinstance(value, dict):
        return value
    names = [key for key in value if key != "into"]
    if len(names) != 1:
        raise ValueError(f"an action has one name, here are {len(names)}: {', '.join(map(str, names))}")
    return {"command": names[0], "arguments": value[names[0]], "into": value.get("into")}
