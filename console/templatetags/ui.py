"""Template tags of the console's own parts: icons, glyphs, times, links that keep the query, form controls."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.lib import clock, digest, durations, glyphs

register = template.Library()


@register.simple_tag
def icon(name: str, classes: str = "", label: str = "") -> SafeString:
    """Return a Tabler icon of vendor/icons.txt; hidden from screen readers unless it has a label."""
    naming = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="icon {}" {}><use href="{}#{}"></use></svg>', classes, naming, static("img/icons.svg"), name
    )


@register.simple_tag
def glyph(fingerprint_hex: str, classes: str = "") -> SafeString:
    """Return the 5 by 5 drawing of a digest: an aid to the eye, never proof; the digest stands beside it."""
    squares = format_html_join(
        "",
        '<rect x="{}" y="{}" width="6" height="6"></rect>',
        ((6 * x, 6 * y) for x, y in glyphs.cells(fingerprint_hex)),
    )
    return format_html(
        '<svg class="glyph {}" viewBox="-7 -7 44 44" aria-hidden="true"><g class="glyph-{}">{}</g></svg>',
        classes,
        glyphs.hue(fingerprint_hex),
        squares,
    )


@register.filter
def groups(hex_digest: str, size: int = 4) -> Iterator[str]:
    """Return a digest in groups of digits, for reading aloud."""
    return digest.groups(hex_digest, int(size))


@register.simple_tag
def when(moment: datetime | None, style: str = "", empty: str = "Not yet") -> SafeString | str:
    """Return a UTC time as <time> with the relative time beside it.

    `style`: "" date and minute; "seconds" with seconds; "date" the day alone; "only" without the relative time.
    """
    if moment is None:
        return empty
    stamp = format_html(
        '<time datetime="{}">{}</time>', moment.isoformat(timespec="seconds"), durations.stamp(moment, style)
    )
    if style == "only":
        return stamp
    return format_html('{} <span class="sub nowrap">({})</span>', stamp, durations.relative(moment, clock.now()))


@register.simple_tag
def ago(moment: datetime | None, empty: str = "never") -> SafeString | str:
    """Return only the relative time, with the full one as <time>'s title."""
    if moment is None:
        return empty
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        durations.stamp(moment, "seconds"),
        durations.relative(moment, clock.now()),
    )


@register.filter
def relative(moment: datetime | None, style: str = "") -> str:
    """Return "in 6 days", "9 minutes ago" or "just now"; nothing for None. `style` "brief": "9 min ago"."""
    if not moment:
        return ""
    words = durations.relative(moment, clock.now())
    return words.replace("minutes", "min").replace("minute", "min") if style == "brief" else words


@register.filter
def duration(seconds: float | None) -> str:
    """Return a length of time in seconds as "2 h 5 min"."""
    return "" if seconds is None else durations.length(seconds)


@register.filter
def percent(done: float | None, total: float | None) -> int:
    """Return how much of `total` is done, 0 to 100, rounded down so that 100 means all."""
    if not done or not total:
        return 0
    return min(100, int(100 * done / total))


@register.simple_tag(takes_context=True)
def qs(context: Context, **changes: Any) -> str:
    """Return the present query with some names set; None or "" removes a name."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag
def control(field: BoundField, classes: str = "") -> SafeString:
    """Return the widget of a form field with the console's classes; its own classes are kept."""
    widget = field.field.widget
    if isinstance(widget, CheckboxInput | RadioSelect | CheckboxSelectMultiple):
        return field.as_widget()
    own = widget.attrs.get("class", "")
    return field.as_widget(attrs={"class": " ".join(f"input {own} {classes}".split())})


@register.filter
def control_kind(field: BoundField) -> str:
    """Return how a field is laid out: "check" (box before its label), "choices" (a fieldset) or "line"."""
    widget = field.field.widget
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return "choices"
    return "check" if isinstance(widget, CheckboxInput) else "line"


@register.filter
def failing(form: Any) -> list[BoundField]:
    """Return the visible fields of a bound form that have errors, in the order of the page."""
    return [field for field in form.visible_fields() if field.errors]
