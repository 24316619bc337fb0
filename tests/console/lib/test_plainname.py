"""Names without characters that nobody sees."""

import pytest
from django.core.exceptions import ValidationError

from console.lib.plainname import PlainNameField
from console.lib.unseen import spelt


@pytest.mark.parametrize("good", ["Löwe & Söhne", 'it\'s "quoted" <b>', "مفتاح", "👩‍💻 laptop", "naïve 2 №7"])
def test_what_people_write_is_taken_as_it_is(good: str) -> None:
    assert PlainNameField().clean(good) == spelt(good) == good


@pytest.mark.parametrize(
    ("bad", "seen"),
    [("a\tb", r"a\x09b"), ("a\x1bb", r"a\x1bb"), ("payroll\u202egpj", r"payroll\u202egpj"), ("a\u200bb", r"a\u200bb")],
)
def test_what_nobody_sees_is_spelt_and_refused(bad: str, seen: str) -> None:
    assert spelt(bad) == seen
    with pytest.raises(ValidationError) as refused:
        PlainNameField().clean(bad)
    assert refused.value.messages == [f"It holds characters that are not seen: {seen}. Type it without them."]
