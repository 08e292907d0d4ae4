from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.engine.playing import Talk
from wabot.core.messages import Kind, Location, Media
from wabot.core.money import Money
from wabot.engine.effects import Say
from wabot.engine.step import Event
from wabot.errors import ExpressionError

PIZZA = """
flow: pizza
datamodel: {size: {type: text}, last: {}}
intents:
  large: {en: [the big one], hi: [बड़ा]}
  stop: {en: [stop]}
transitions:
  - {event: message, intent: stop, target: stopped}
states:
  size:
    ask:
      text: Which size, {{ contact.name }}?
      buttons: {small: Small, large: Large}
      into: size
      attempts: 3
    transitions:
      - {event: answered, target: done}
      - {event: exhausted, target: gave_up}
      - {event: message.image, on: {assign: {last: image}}}
  done:
    enter: [{say: "{{ size }}!"}]
    final: true
  gave_up: {final: true}
  stopped: {final: true}
"""


@pytest.mark.parametrize("text", ["2", "Large", "large", "LARGE ", "the big one", "बड़ा", "2."])
def test_an_option_is_meant_by_number_title_id_or_intent(text: str) -> None:
    talk = Talk(PIZZA).start().say(text)

    assert talk.said == ["large!"]
    assert talk.variables["size"] == "large"
    assert talk.ended


def test_a_tap_answers() -> None:
    talk = Talk(PIZZA).start()
    assert talk.said == ["Which size, Asha?"]

    assert talk.tap("Small").said == ["small!"]


def test_options_carry_flow_version_and_number() -> None:
    talk = Talk(PIZZA).start()

    assert [button.payload for button in talk.messages[0].buttons] == [
        "w1|pizza|1|1|small",
        "w1|pizza|1|1|large",
    ]


def test_what_is_no_answer_is_asked_again_with_the_options() -> None:
    talk = Talk(PIZZA).start().say("huge")

    assert talk.step.handled
    assert talk.said == ["Please choose one of the options."]
    assert [button.title for button in talk.messages[0].buttons] == ["Small", "Large"]
    assert talk.tap("Large").said == ["large!"]


def test_attempts_run_out() -> None:
    talk = Talk(PIZZA).start().say("huge").say("tiny")
    assert talk.at == ["size"]

    talk.say("green")

    assert talk.at == ["gave_up"]
    assert talk.said == []


def test_an_intent_of_the_flow_interrupts_a_question() -> None:
    assert Talk(PIZZA).start().say("Stop!").at == ["stopped"]


def test_a_transition_of_the_asking_state_comes_before_the_answer() -> None:
    image = Media(kind="image", url="https://example.com/a.jpg")
    talk = Talk(PIZZA).start().say("", kind=Kind.IMAGE, media=image)

    assert talk.variables["last"] == "image"
    assert talk.said == []
    assert talk.at == ["size"]


def test_an_answer_that_no_transition_takes_is_stored_and_the_question_stays_open() -> None:
    flow = """
    flow: names
    datamodel: {names: {type: list, default: []}, name: {}}
    states:
      ask:
        ask: {text: Next name?, into: name}
        transitions:
          - event: answered
            cond: "answer != 'nobody'"
            on: {assign: {location: names, expr: "names + [answer]"}}
    """
    talk = Talk(flow).start().say("Asha").say("nobody")

    assert talk.variables == {"names": ["Asha"], "name": "nobody"}
    assert talk.step.handled
    assert talk.at == ["ask"]
    assert talk.say("Ravi").variables["names"] == ["Asha", "Ravi"]


def test_an_answered_question_counts_its_attempts_anew() -> None:
    flow = """
    flow: ages
    states:
      ask:
        ask: {text: Age?, type: integer, attempts: 2}
        transitions: [{event: exhausted, target: over}]
      over: {}
    """
    talk = Talk(flow).start().say("old").say("44").say("older")

    assert talk.at == ["ask"]
    assert talk.say("oldest").at == ["over"]


def test_a_flow_may_answer_to_invalid_itself() -> None:
    flow = """
    flow: ages
    states:
      ask:
        ask: {text: Age?, type: integer, attempts: 1}
        transitions:
          - event: invalid.ask
            on: {say: "{{ event.data.text }}? ({{ event.data.reason }}, {{ event.data.attempts }})"}
    """
    talk = Talk(flow).start().say("old").say("older")

    assert talk.said == ["older? (wabot.invalid.integer, 1)"]
    assert talk.at == ["ask"]


def test_exhausted_that_nothing_takes_is_unhandled() -> None:
    flow = """
    flow: ages
    states:
      ask: {ask: {text: Age?, type: integer, attempts: 1}}
    """
    talk = Talk(flow).start().say("old")

    assert not talk.step.handled
    assert talk.said == ["Sorry, I didn't understand that. Could you put it another way?"]


def test_the_flow_says_what_it_wants_on_a_wrong_answer() -> None:
    flow = """
    flow: ages
    states:
      ask: {ask: {text: Age?, type: integer, retry: "{{ message.text }} is no age"}}
    """
    assert Talk(flow).start().say("old").said == ["old is no age"]


@pytest.mark.parametrize(
    ("question", "text", "value"),
    [
        ("type: text", " Asha ", "Asha"),
        ("type: integer", "१२", 12),
        ("type: number", "2.5", Decimal("2.5")),
        ("type: money", "₹1,00,000", Money(Decimal("100000.00"), "INR")),
        ("type: date", "23/11/2026", date(2026, 11, 23)),
        ("type: phone", "98765 43210", "+919876543210"),
        ("type: email", "a@example.com", "a@example.com"),
        ("type: yesno", "haan", "yes"),
        ("choices: [{id: a, title: First}, {id: b, title: Second}]", "2", "b"),
    ],
)
def test_typed_answers_come_back_typed(question: str, text: str, value: object) -> None:
    flow = f"""
    flow: typed
    datamodel: {{value: {{}}}}
    states:
      ask:
        ask: {{text: Well?, into: value, {question}}}
        transitions: [{{event: answered.ask, target: done}}]
      done: {{}}
    """
    talk = Talk(flow).start().say(text)

    assert talk.variables["value"] == value
    assert talk.at == ["done"]


def test_a_location_answers() -> None:
    flow = """
    flow: where
    datamodel: {place: {type: object}}
    states:
      ask:
        ask: {text: Where?, type: location, into: place}
        transitions: [{event: answered, target: done}]
      done: {enter: [{say: "{{ answer.latitude }}"}]}
    """
    talk = Talk(flow).start().say("over there")
    assert talk.said == ["Please share a location. Tap + or the paper clip, then Location."]

    talk.say("", kind=Kind.LOCATION, location=Location(latitude=12.5, longitude=77.0))

    assert talk.said == ["12.5"]


def test_bounds_are_expressions() -> None:
    flow = """
    flow: bounds
    datamodel: {most: {type: integer, default: 10}}
    states:
      ask:
        ask: {text: How many?, type: integer, min: 1, max: "most * 2"}
        transitions: [{event: answered, target: done}]
      done: {}
    """
    talk = Talk(flow).start().say("21")
    assert talk.said == ["Please send a whole number from 1 to 20."]
    assert talk.say("20").at == ["done"]


def test_buttons_help_to_answer_a_question_of_another_type() -> None:
    flow = """
    flow: helped
    datamodel: {n: {type: integer}}
    states:
      ask:
        ask: {text: How many?, type: integer, into: n, buttons: {"5": Five, "100": Hundred, "no": None of it}}
        transitions: [{event: answered, target: done}]
      done: {}
    """
    talk = Talk(flow).start().tap("None of it")
    assert talk.said == ["Please send a whole number, such as 12."]
    assert talk.tap("Hundred").variables["n"] == 100
    assert Talk(flow).start().say("1").variables["n"] == 1


def test_yes_and_no_are_offered_by_themselves() -> None:
    flow = """
    flow: sure
    states:
      ask:
        ask: {text: Sure?, type: yesno}
        transitions: [{event: answered, cond: "answer == 'yes'", target: done}]
      done: {}
    """
    talk = Talk(flow, locale="hi").start()
    assert [button.title for button in talk.messages[0].buttons] == ["हाँ", "नहीं"]
    assert talk.tap("हाँ").at == ["done"]


def test_more_choices_than_buttons_become_a_list_with_options_from_data() -> None:
    flow = """
    flow: lists
    datamodel: {items: {type: list, default: [{sku: a, name: Ash}, {sku: b, name: Birch}]}, chosen: {}}
    states:
      ask:
        ask:
          text: Which?
          into: chosen
          choices: {for: items, as: it, id: "{{ it.sku }}", title: "{{ it.name }}"}
        transitions: [{event: answered, target: done}]
      done: {}
    """
    talk = Talk(flow).start()
    choices = talk.messages[0].choices
    assert choices is not None
    assert choices.button == "Choose"
    assert [(row.id, row.title) for row in choices.rows] == [("a", "Ash"), ("b", "Birch")]

    assert talk.tap("Birch", kind=Kind.LIST).variables["chosen"] == "b"


def test_the_question_comes_last_and_only_where_the_state_is_still_active() -> None:
    flow = """
    flow: skipping
    datamodel: {address: {default: null}}
    states:
      start:
        ask: {text: Your address?, into: address}
        transitions:
          - {cond: address, target: next}
          - {event: answered, target: next}
      next:
        enter: [{say: first}, {raise: more}]
        ask: Second?
        transitions: [{event: more, on: {say: "then {{ address }}"}}]
    """
    texts = {"en": {"first": "First"}}

    assert Talk(flow, texts=texts).start(data={"address": "here"}).said == ["First", "then here", "Second?"]
    assert Talk(flow, texts=texts).start().said == ["Your address?"]


def test_the_latest_of_several_questions_is_answered() -> None:
    flow = """
    flow: two
    datamodel: {a: {}, b: {}}
    states:
      both:
        parallel: true
        states:
          left: {ask: {text: Left?, into: a}}
          right:
            ask: {text: Right?, into: b}
    """
    assert Talk(flow).start().say("x").variables == {"a": None, "b": "x"}


def test_leaving_the_state_closes_its_question() -> None:
    flow = """
    flow: closing
    intents: {back: [back]}
    states:
      one:
        ask: {text: One?, buttons: {a: A, b: B}}
        transitions: [{event: message, intent: back, target: two}]
      two:
        transitions: [{event: message.text, target: one}]
    """
    talk = Talk(flow).start().say("back")
    assert talk.frame.sent == {}

    talk.tap("A")

    assert talk.said == ["That button belongs to an earlier message and no longer works."]
    assert not talk.step.handled


def test_an_old_tap_is_told_apart_and_the_open_question_put_again() -> None:
    flow = """
    flow: again
    states:
      one:
        ask: {text: One?, buttons: {a: A, b: B}}
        transitions: [{event: answered, target: one}]
    """
    talk = Talk(flow).start()
    old = talk.shown["A"]
    talk.say("1")
    talk.shown["A"] = old

    talk.tap("A")

    assert talk.said == ["That button belongs to an earlier message and no longer works.", "One?"]
    assert talk.messages[1].buttons[0].payload == "w1|again|1|2|a"
    assert talk.tap("B").said == ["One?"]


def test_a_flow_may_answer_to_an_old_tap_itself() -> None:
    flow = """
    flow: again
    states:
      one:
        ask: {text: One?, buttons: {a: A, b: B}}
        transitions:
          - {event: answered, target: two}
      two:
        transitions: [{event: stale.button.a, on: {say: "Too late for {{ event.name }}"}}]
    """
    assert Talk(flow).start().say("2").tap("A").said == ["Too late for stale.button.a"]


def test_buttons_outside_a_question_become_events() -> None:
    flow = """
    flow: shown
    states:
      menu:
        enter: [{say: {text: Where to?, buttons: {shop: Shop, help: Help}}}]
        transitions:
          - {event: message.button.shop, target: shop}
          - {event: message.text, target: typed}
      shop: {enter: [{say: "{{ event.name }}"}]}
      typed: {enter: [{say: "{{ event.name }}"}]}
    """
    assert Talk(flow).start().tap("Shop").said == ["message.button.shop"]
    assert Talk(flow).start().say("1").said == ["message.button.shop"]
    assert Talk(flow).start().say("shop").said == ["message.button.shop"]
    # What is shown but not taken stays text.
    assert Talk(flow).start().say("help").said == ["message.text"]
    assert not Talk(flow).start().tap("Help").step.handled


def test_rows_outside_a_question_become_events() -> None:
    flow = """
    flow: rows
    states:
      menu:
        enter:
          - say:
              text: Pick
              list:
                button: Open
                sections:
                  - {title: Wood, rows: {ash: Ash, oak: {title: Oak, description: Hard wood}}}
                  - {title: Stone, rows: [{id: flint, title: Flint}]}
        transitions:
          - {event: message.list, target: picked}
      picked: {enter: [{say: "{{ event.name }}"}]}
    """
    talk = Talk(flow).start()
    choices = talk.messages[0].choices
    assert choices is not None
    assert [section.title for section in choices.sections] == ["Wood", "Stone"]
    assert choices.rows[1].description == "Hard wood"
    assert talk.say("3").said == ["message.list.flint"]


def test_a_tap_on_another_flows_template_is_an_event_by_its_payload() -> None:
    flow = """
    flow: own
    states:
      a: {transitions: [{event: message.button.REORDER, target: b}]}
      b: {}
    """
    talk = Talk(flow).start()
    message = talk.inbound(kind=Kind.BUTTON, title="Order again", payload="REORDER")

    assert talk.send(Event(message=message)).at == ["b"]


def test_a_reaction_is_no_answer_and_needs_none() -> None:
    talk = Talk(PIZZA).start().say("", kind=Kind.REACTION)

    assert talk.said == []
    assert not talk.step.handled


def test_a_message_that_nothing_takes_is_unhandled() -> None:
    talk = Talk("{flow: deaf, states: {a: {}}}").start().say("hello?")

    assert talk.said == ["Sorry, I didn't understand that. Could you put it another way?"]
    assert not talk.step.handled


def test_a_flow_may_have_a_fallback_of_its_own() -> None:
    flow = """
    flow: polite
    transitions: [{event: unhandled, on: {say: "Pardon? {{ event.data.text }}"}}]
    states: {a: {}}
    """
    talk = Talk(flow).start().say("hello?")

    assert talk.said == ["Pardon? hello?"]
    assert talk.step.handled


def test_messages_say_which_state_said_them() -> None:
    flow = """
    flow: who
    states:
      a:
        enter: [{say: Hello}]
        states:
          b:
            ask: Well?
            transitions: [{event: message, target: c, on: [{say: On the way}]}]
          c: {}
    """
    talk = Talk(flow).start()
    says = [(effect.state, effect.flow) for effect in talk.step.effects if isinstance(effect, Say)]
    assert says == [("a", "who"), ("a.b", "who")]

    talk.say("x")
    assert [effect.state for effect in talk.step.effects if isinstance(effect, Say)] == ["a.c"]


def test_rich_messages_carry_media_location_and_template() -> None:
    flow = """
    flow: rich
    datamodel: {at: {type: object, default: {lat: 12.5, lon: 77.25}}}
    states:
      a:
        enter:
          - say: {text: Look, media: {kind: image, url: "https://example.com/{{ contact.phone }}.jpg"}}
          - say: {location: {latitude: "{{ at.lat }}", longitude: "{{ at.lon }}", name: Depot}}
          - say:
              text: Reminder
              header: From us
              footer: Bye
              template: {name: remind, variables: {"1": "{{ contact.name }}"}}
    """
    photo, place, reminder = Talk(flow).start().messages

    assert photo.media == Media(kind="image", url="https://example.com/+919876543210.jpg")
    assert place.location == Location(latitude=12.5, longitude=77.25, name="Depot")
    assert (reminder.header, reminder.footer) == ("From us", "Bye")
    assert reminder.template is not None
    assert reminder.template.language == "en"
    assert reminder.template.variables == {"1": "Asha"}


def test_a_part_that_the_data_makes_impossible_is_named() -> None:
    flow = """
    flow: rich
    states: {a: {enter: [{say: {location: {latitude: "{{ 100 }}", longitude: 5}}}]}}
    """
    with pytest.raises(ExpressionError, match=r"flow0\.yaml:3:.*latitude"):
        Talk(flow).start()


def test_options_come_from_a_list() -> None:
    flow = """
    flow: rich
    states: {a: {ask: {text: X, choices: {for: "contact.name", id: a, title: A}}}}
    """
    with pytest.raises(ExpressionError, match=r'"contact\.name" is not a list'):
        Talk(flow).start()


def test_texts_come_in_the_contacts_locale_and_a_flow_may_change_it() -> None:
    flow = """
    flow: speaks
    states:
      a:
        enter: [{say: welcome}]
        transitions: [{event: message, on: [{locale: hi}, {say: welcome}], target: b}]
      b:
        transitions: [{event: message, target: a}]
    """
    talk = Talk(flow).start()
    assert talk.said == ["Welcome!"]
    assert talk.say("x").said == ["स्वागत है!"]
    assert talk.state.locale == "hi"
    assert talk.say("x").said == ["स्वागत है!"]


def test_a_locale_must_be_text() -> None:
    flow = "{flow: x, states: {a: {enter: [{locale: '{{ 5 }}'}]}}}"
    with pytest.raises(ExpressionError, match="a locale is text"):
        Talk(flow).start()


def names(talk: Talk) -> list[Any]:
    return [effect.type for effect in talk.step.effects]


def test_the_message_that_began_it_is_in_scope_and_not_dispatched() -> None:
    flow = """
    flow: begin
    states:
      a:
        enter: [{say: "You said {{ message.text }}"}]
        transitions:
          - {cond: "message.text == 'skip'", target: b}
          - {event: message, target: b}
      b: {}
    """
    assert Talk(flow).start("Hi").at == ["a"]
    assert Talk(flow).start("Hi").said == ["You said Hi"]
    assert Talk(flow).start("skip").at == ["b"]


def test_an_eventless_transition_waits_for_the_event() -> None:
    flow = """
    flow: waiting
    states:
      a:
        transitions:
          - {cond: "message.text == 'both'", target: eventless}
          - {event: message.text, cond: "message.text != 'after'", target: evented}
          - {cond: "message.text == 'after'", target: after}
      eventless: {}
      evented: {}
      after: {}
    """
    texts = "message and message.text"
    flow = flow.replace("message.text ==", f"({texts}) ==")

    assert Talk(flow).start().say("both").at == ["evented"]
    talk = Talk(flow).start().say("after")
    assert talk.at == ["after"]
    assert talk.step.handled


def test_an_eventless_transition_sees_the_event_that_nothing_took() -> None:
    flow = """
    flow: seen
    states:
      a: {transitions: [{cond: "event and event.name == 'nudge'", target: b}]}
      b: {}
    """
    assert Talk(flow).start().event("other").at == ["a"]
    assert Talk(flow).start().event("nudge").at == ["b"]


TWO_QUESTIONS = """
flow: two
datamodel: {size: {}, colour: {}}
states:
  both:
    parallel: true
    transitions: [{event: answered.sized, target: colour}]
    states:
      sizes:
        states:
          size:
            ask: {text: Size?, type: integer, into: size}
            transitions: [{event: answered, target: sized}]
          sized: {}
      colours:
        states:
          colour:
            ask: {text: Colour?, type: choice, buttons: {red: Red, blue: Blue}, into: colour}
            transitions: [{event: answered, target: chosen}]
          chosen: {}
      watching:
        states:
          quiet: {transitions: [{event: answered.colour, target: told}]}
          told: {}
"""


def test_an_answer_is_not_taken_by_a_question_in_another_region() -> None:
    talk = Talk(TWO_QUESTIONS).start().say("Blue")
    assert talk.at == ["size", "chosen", "told"], "told asked for this state's answer by name"

    talk.say("7")
    assert talk.at == ["sized", "chosen", "told"]
    assert talk.variables == {"size": 7, "colour": "blue"}


def test_a_button_that_nothing_takes_leads_to_the_question_on_top() -> None:
    menu = """
    flow: menu
    states:
      shown:
        enter: {say: {text: Menu, buttons: {shop: Shop}}}
        transitions: [{event: help, on: {digress: helping}}]
    """
    helping = "{flow: helping, states: {topic: {ask: {text: Topic?, type: integer}}}}"
    talk = Talk(menu, helping).start().event("help").tap("Shop")
    assert talk.said == ["Please send a whole number, such as 12."]


def test_an_answer_that_its_variable_refuses_is_an_error_event() -> None:
    flow = """
    flow: x
    datamodel: {n: {type: integer}}
    states:
      a:
        ask: {text: Which?, into: n}
        transitions: [{event: answered, target: b}, {event: error.execution, on: {say: A number!}}]
      b: {}
    """
    talk = Talk(flow).start().say("many")
    assert (talk.said, talk.at, talk.variables) == (["A number!"], ["a"], {"n": None})

    assert talk.say("12").at == ["b"]
    with pytest.raises(ExpressionError, match="a whole number is wanted"):
        Talk(flow.replace("error.execution", "other")).start().say("many")
