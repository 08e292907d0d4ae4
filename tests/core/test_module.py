from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from wabot.core.module import Call, Module, bind, plain
from wabot.core.money import Money
from wabot.errors import ConfigurationError, DuplicateName, Frozen, TurnError, UnknownName


class Item(BaseModel):
    name: str
    price: Money | None = None


class Order(BaseModel):
    items: list[Item] = []
    note: str = ""


def make_shop() -> Module:
    shop = Module("shop")

    @shop.command("place")
    def place(order: Order, call: Call) -> Order:
        """Take an order.

        The rest of the story.
        """
        return order

    @shop.on("shop.placed")
    def listen(payload: Any, call: Call) -> None:
        return None

    return shop


def test_a_command_is_known_by_module_and_name() -> None:
    registry = bind([make_shop()])
    command = registry.command("shop.place")
    assert (command.model, command.returns, command.summary) == (Order, Order, "Take an order.")
    with pytest.raises(UnknownName, match=r'no command "shop\.plaice"'):
        registry.command("shop.plaice")


def test_arguments_become_the_model_and_the_result_plain_data(call: Call) -> None:
    command = bind([make_shop()]).command("shop.place")
    price = Money.of("1.50", "INR")
    result = command.run({"items": [{"name": "Cement", "price": price}]}, call)
    assert result == {"items": [{"name": "Cement", "price": price}], "note": ""}


@pytest.fixture
def call() -> Any:
    """The handlers here use nothing of it."""
    return None


def test_arguments_that_do_not_fit_are_named(call: Call) -> None:
    command = bind([make_shop()]).command("shop.place")
    with pytest.raises(TurnError, match=r"shop\.place: items\.0\.name: Field required"):
        command.run({"items": [{}]}, call)


def test_a_result_must_be_data() -> None:
    assert plain({1: (Decimal(1), [None])}) == {"1": [Decimal(1), [None]]}
    with pytest.raises(TypeError, match="a object can't be kept"):
        plain([object()])


def test_two_things_under_one_name_are_refused() -> None:
    shop = make_shop()
    with pytest.raises(DuplicateName, match=r'"shop\.place" is registered twice'):

        @shop.command("place")
        def place(order: Order, call: Call) -> None: ...

    with pytest.raises(DuplicateName, match='two modules are called "shop"'):
        bind([make_shop(), make_shop()])


def test_a_bound_module_takes_nothing_more() -> None:
    shop = make_shop()
    bind([shop])
    with pytest.raises(Frozen, match='the module "shop" is bound: "more" comes too late'):

        @shop.command("more")
        def more(order: Order, call: Call) -> None: ...

    with pytest.raises(Frozen, match="comes too late"):

        @shop.on("shop.more")
        def listen(payload: Any, call: Call) -> None: ...


def test_a_handler_says_what_it_takes() -> None:
    shop = Module("shop")
    with pytest.raises(ConfigurationError, match=r"shop\.bad: annotate the handler's first parameter"):

        @shop.command("bad")
        def bad(order, call):  # type: ignore[no-untyped-def]
            return None


def test_a_modules_name_is_a_word() -> None:
    with pytest.raises(ConfigurationError, match="can't name a module"):
        Module("my-shop")
