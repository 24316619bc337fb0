"""Names a browser from its User-Agent header, as far as one can."""

import re

from django import template

register = template.Library()

# In this order: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari.
BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
    ("Opera", r"OPR/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Chrome", r"(?:HeadlessChrome|Chrome|CriOS)/(\d+)"),
    ("Safari", r"Version/(\d+).*Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iOS", "iPhone|iPad"),
    ("Windows", "Windows"),
    ("macOS", "Mac OS X|Macintosh"),
    ("Linux", "Linux|X11"),
)


@register.filter
def browser(user_agent: str) -> str:
    """Return "Firefox 140 on Linux", or the header itself, shortened, when it is none that we know."""
    for name, pattern in BROWSERS:
        if found := re.search(pattern, user_agent):
            system = next((label for label, words in SYSTEMS if re.search(words, user_agent)), "")
            return f"{name} {found[1]} on {system}" if system else f"{name} {found[1]}"
    return user_agent[:40] or "Unknown"
