import pytest

from tests.faults.crowd import Count, compare
from tests.soak import soak


def test_anything_may_be_killed_and_every_message_has_its_answer_once_and_in_order(shared_url: str) -> None:
    done = soak(shared_url, messages=300, contacts=20, workers=3, every=0.7)
    assert done.count == Count()
    assert done.killed >= 1


@pytest.mark.parametrize(
    ("got", "count"),
    [
        ("abc", Count()),
        ("ab", Count(lost=1)),
        ("abcb", Count(doubled=1)),
        ("acb", Count(disordered=1)),
        ("bca", Count(disordered=1)),
        ("axc", Count(lost=1)),
    ],
)
def test_the_count_counts(got: str, count: Count) -> None:
    assert compare("abc", got) == count
