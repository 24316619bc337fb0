#!/usr/bin/env python3
"""Build the icon sprite and copy the fonts from the packages named in package.json.

Development only, nothing here runs on a server:

    cd vendor && npm ci --ignore-scripts && python3 build.py

    python3 build.py           write static/img/icons.svg, static/fonts/* and SHA256SUMS
    python3 build.py --check   build again and compare with what is committed; exit 1 on a difference

Without node_modules `--check` compares the committed files with SHA256SUMS alone.
"""

import hashlib
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "static"
MODULES = HERE / "node_modules"
SUMS = HERE / "SHA256SUMS"
SVG = "{http://www.w3.org/2000/svg}"

COPIES = {
    "fonts/inter-latin-wght-normal.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    "fonts/inter-LICENSE.txt": "@fontsource-variable/inter/LICENSE",
    "fonts/jetbrains-mono-latin-wght-normal.woff2": (
        "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2"
    ),
    "fonts/jetbrains-mono-LICENSE.txt": "@fontsource-variable/jetbrains-mono/LICENSE",
    "img/icons-LICENSE.txt": "@tabler/icons/LICENSE",
}


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare; return the exit status."""
    if "--check" in arguments:
        return check()
    files = build()
    for name, content in files.items():
        path = STATIC / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    SUMS.write_text(sums(files))
    return 0


def check() -> int:
    """Return 0 when the committed files are those of SHA256SUMS and, with node_modules, of a new build."""
    listed = SUMS.read_text()
    committed = {line.split("  ", 1)[1]: b"" for line in listed.splitlines()}
    for name in committed:
        committed[name] = (STATIC / name).read_bytes()
    if sums(committed) != listed:
        print("static/ differs from vendor/SHA256SUMS", file=sys.stderr)
        return 1
    if MODULES.is_dir() and sums(build()) != listed:
        print("a new build differs from vendor/SHA256SUMS", file=sys.stderr)
        return 1
    return 0


def build() -> dict[str, bytes]:
    """Return the files by their path below static/."""
    names = (HERE / "icons.txt").read_text().split()
    files = {name: (MODULES / source).read_bytes() for name, source in COPIES.items()}
    files["img/icons.svg"] = sprite(names)
    return files


def sprite(names: list[str]) -> bytes:
    """Return one SVG with a symbol for each Tabler outline icon; colour and stroke come from the page."""
    symbols = "\n".join(symbol(name) for name in sorted(set(names)))
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'.encode()


def symbol(name: str) -> str:
    """Return one icon as a <symbol>, without the transparent square every Tabler icon starts with."""
    root = ET.parse(MODULES / "@tabler/icons/icons/outline" / f"{name}.svg").getroot()
    shapes = [shape for shape in root if shape.get("stroke") != "none"]
    return f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(map(spell, shapes))}</symbol>'


def spell(shape: ET.Element) -> str:
    """Return one shape as text, without a namespace prefix."""
    attributes = "".join(f' {key}="{value}"' for key, value in shape.attrib.items())
    return f"<{shape.tag.removeprefix(SVG)}{attributes}/>"


def sums(files: dict[str, bytes]) -> str:
    """Return the files in the format of sha256sum, sorted by name."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
