"""A small project for tests: a greeting, a question, a timer, an invoke and a sub-flow."""

from pathlib import Path

SETTINGS = """
flow = "shop"
locale = "en"
locales = ["hi"]
timezone = "Asia/Kolkata"
modules = []
"""

SHOP = """
flow: shop
version: 1
datamodel:
  name: {type: text, default: ""}
  stock: {type: integer, default: 0}
intents:
  bye: {en: [bye]}
transitions:
  - {event: message, intent: bye, target: end}
states:
  welcome:
    initial: true
    enter: {say: welcome}
    transitions:
      - {event: message.image, target: welcome, on: {say: "A picture!"}}
      - {event: message.location, on: {say: "{{ message.location.latitude }}"}}
      - {event: message.contact, on: {say: "A card!"}}
      - {event: message.text, cond: message.text == 'list', target: picking}
      - {event: message.text, cond: message.text == 'sub', target: detour}
      - {event: message.text, target: asked, on: {assign: {name: "{{ message.text }}"}}}
  asked:
    ask: {text: sure, buttons: {yes: "Yes", no: "No"}}
    after: {1h: forgotten}
    transitions:
      - {event: answered, cond: answer == 'yes', target: looking}
      - {event: answered, target: welcome}
      - {event: exhausted, target: end}
  picking:
    ask:
      text: Pick one
      list: {button: Open, rows: {a: Apples, b: Beans}}
    transitions:
      - {event: answered, target: end}
      - {event: exhausted, target: end}
  looking:
    invoke: {id: look, http: {url: "https://example.com"}}
    transitions:
      - {event: done.invoke.look, on: {assign: {stock: "{{ event.data.stock }}"}}, target: found}
      - {event: error.invoke.look, on: {say: "{{ event.data.message }}"}, target: asked}
  found:
    enter: {say: "There are {{ stock }}."}
    transitions: [{event: message.text, target: end}]
  detour:
    invoke: {id: inner, flow: inner}
    transitions: [{event: done.invoke.inner, target: welcome}]
  forgotten:
    enter: {say: Are you there?}
    after: {20h: end}
    transitions: [{event: message.text, target: welcome}]
  end:
    enter: {say: bye}
    final: true
"""

INNER = """
flow: inner
states:
  question:
    initial: true
    ask: {text: "How many?", type: integer}
    transitions:
      - {event: answered, target: done}
      - {event: exhausted, target: done}
  done: {final: true}
"""

ENGLISH = """
welcome: "Welcome, {{ contact.name }}!"
sure: "Are you {{ name }}?"
bye: Goodbye
"""

HINDI = """
welcome: "नमस्ते {{ contact.name }}!"
sure: "{{ name }}?"
bye: अलविदा
"""

TESTS = """
conversations:
  the whole way:
    - contact: Hi
      bot: Welcome, Asha!
    - contact: Ravi
      bot: {text: "Are you Ravi?", buttons: [Yes, No]}
"""


def make(folder: Path, tests: str = TESTS) -> Path:
    """Write the project into `folder`."""
    files = {
        "wabot.toml": SETTINGS,
        "flows/shop.yaml": SHOP,
        "flows/inner.yaml": INNER,
        "texts/en.yaml": ENGLISH,
        "texts/hi.yaml": HINDI,
        "tests/shop.yaml": tests,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
