"""The colours that text is written in, against everything it is written on: WCAG 2.2, 1.4.3 and 1.4.11."""

import re
from pathlib import Path

import pytest

TOKENS = (Path(__file__).resolve().parent.parent / "static/css/tokens.css").read_text()
PAIR = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]+), (#[0-9a-f]+)\)")
COLOURS = {name: (light, dark) for name, light, dark in PAIR.findall(TOKENS)}

GROUNDS = ("canvas", "surface", "sunken", "raised", "hover", "side")
TEXT = [(ink, ground) for ink in ("ink", "ink-2", "ink-3", "link", "ok", "warn", "bad") for ground in GROUNDS]
TEXT += [(state, f"{state}-bg") for state in ("ok", "warn", "bad")]
TEXT += [(ink, f"{state}-bg") for ink in ("ink", "ink-2") for state in ("ok", "warn", "bad", "accent")]
TEXT += [("link", "accent-bg")]
ON_SOLID = ("accent", "accent-hi", "bad-solid", "bad-solid-hi")
# The borders that alone show where a control is.
EDGES = [("line-ctl", ground) for ground in ("surface", "raised")] + [("warn-mark", "surface")]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    red, green, blue = (linear(int(digits[at : at + 2], 16) / 255) for at in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(channel: float) -> float:
    """Return a channel of sRGB, made linear."""
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_can_be_read(ink: str, ground: str, theme: int) -> None:
    assert contrast(COLOURS[ink][theme], COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ON_SOLID)
def test_white_on_a_button_can_be_read(ground: str, theme: int) -> None:
    assert contrast("#ffffff", COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_the_edge_of_a_control_can_be_seen(edge: str, ground: str, theme: int) -> None:
    assert contrast(COLOURS[edge][theme], COLOURS[ground][theme]) >= 3
