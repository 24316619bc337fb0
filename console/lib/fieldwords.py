"""What a form says of a choice that it does not have, in the console's words instead of Django's."""

from django import forms

SAID = "“%(value)s” is not one of the choices. Choose one from the list."


def use() -> None:
    """Give all fields with choices these words. To be called before a form is declared, whose fields copy them."""
    for field in (forms.ChoiceField, forms.MultipleChoiceField):
        field.default_error_messages["invalid_choice"] = SAID
