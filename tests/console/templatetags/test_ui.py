from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django import forms
from django.template import engines
from django.test import RequestFactory
from django_cotton.compiler_regex import CottonCompiler

from console.lib import clock

NOW = datetime(2026, 11, 21, 22, 40, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def rendered(source: str, **context: object) -> str:
    """Render as a template file is: components first, which from_string alone leaves as they are."""
    return str(engines["django"].from_string(CottonCompiler().process(source)).render(context))


def test_an_icon_is_hidden_from_screen_readers_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in rendered('{% icon "key" %}')
    assert 'role="img" aria-label="Key &lt;1&gt;"' in rendered('{% icon "key" "sm" label %}', label="Key <1>")


def test_when_names_the_zone_and_the_distance() -> None:
    text = rendered("{% when t %}", t=NOW + timedelta(days=6))
    assert 'datetime="2026-11-27T22:40:00+00:00">27 Nov 2026, 22:40 UTC</time>' in text
    assert "(in 6 days)" in text
    assert rendered('{% when t "" "Never" %}', t=None) == "Never"


def test_qs_keeps_sets_and_removes() -> None:
    request = RequestFactory().get("/", {"q": "a b", "cursor": "x", "state": ["1", "2"]})
    source = '{% qs sort="-name" cursor=None %}'
    text = str(engines["django"].from_string(source).render({"request": SimpleNamespace(GET=request.GET)}))
    assert text == "?q=a+b&amp;state=1&amp;state=2&amp;sort=-name"


@pytest.mark.parametrize(("done", "total", "text"), [(93, 151, "61"), (0, 0, "0"), (151, 151, "100"), (None, 4, "0")])
def test_percent(done: int | None, total: int, text: str) -> None:
    assert rendered("{{ done|percent:total }}", done=done, total=total) == text


class Sample(forms.Form):
    name = forms.CharField(help_text="As the module names it.", widget=forms.TextInput(attrs={"class": "mono"}))
    when = forms.ChoiceField(choices=[("now", "Now"), ("later", "Later")], widget=forms.RadioSelect)
    sure = forms.BooleanField(label="I am sure")
    note = forms.CharField(required=False, widget=forms.Textarea)


def test_a_field_ties_help_and_error_to_its_control() -> None:
    html = Sample({})["name"].as_field_group()
    assert 'class="input mono"' in html
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html


def test_choices_are_a_fieldset_a_box_stands_before_its_label_and_optional_is_said() -> None:
    form = Sample()
    assert "<fieldset" in form["when"].as_field_group()
    assert "<legend>When</legend>" in form["when"].as_field_group()
    assert '<label class="check" for="id_sure">' in form["sure"].as_field_group()
    assert "(optional)" in form["note"].as_field_group()
    assert "(optional)" not in form["name"].as_field_group()


def test_the_summary_links_every_bad_field() -> None:
    html = rendered('<c-errors :form="form" />', form=Sample({}))
    assert "3 fields need your attention" in html
    assert all(f'href="#id_{name}"' in html for name in ("name", "when", "sure"))
    assert rendered('<c-errors :form="form" />', form=Sample()).strip() == ""


def test_the_summary_leaves_one_bad_field_to_itself() -> None:
    html = rendered('<c-errors :form="form" />', form=Sample({"name": "x", "when": "now"}))
    assert "summary" not in html
