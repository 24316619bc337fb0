"""Dates and choices in forms: what is taken, and the words in which the rest is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django import forms
from django.core.management import call_command

from console.lib import fieldwords, moment
from console.lib.moment import MomentField


def declared(form: type[forms.BaseForm]) -> Iterator[forms.Field]:
    """Yield the fields of all forms below one, but for Django's own."""
    for below in form.__subclasses__():
        if not below.__module__.startswith("django."):
            yield from getattr(below, "base_fields", {}).values()
        yield from declared(below)


@pytest.mark.parametrize(
    "typed", ["2026-11-21T22:40", "2026-11-21 22:40", " 2026-11-21 22:40:00 ", "2026-11-22T00:40+02:00"]
)
def test_a_moment_is_utc(typed: str) -> None:
    assert MomentField().clean(typed) == datetime(2026, 11, 21, 22, 40, tzinfo=UTC)


@pytest.mark.parametrize("typed", ["", "soon", "2026-02-30 10:00", "0001-01-01T00:00+14:00", "9999-12-31T23:00-14:00"])
def test_another_text_is_told_how_to_write_it(typed: str) -> None:
    with pytest.raises(forms.ValidationError, match="YYYY-MM-DD hh:mm"):
        MomentField().clean(typed)


def test_no_form_speaks_in_the_words_of_the_library() -> None:
    call_command("check", "--tag", "urls")  # imports every view, and with it every form
    fields = list(declared(forms.BaseForm))
    choices = [field for field in fields if isinstance(field, forms.ChoiceField)]
    assert len(choices) > 20
    assert {field.error_messages["invalid_choice"] for field in choices} == {fieldwords.SAID}
    dates = [field for field in fields if isinstance(field, forms.DateField | forms.DateTimeField)]
    assert all(isinstance(field, MomentField) for field in dates)
    assert moment.SAID in {field.error_messages["invalid"] for field in dates}
