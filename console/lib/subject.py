"""What something was done to: text, never a foreign key, so that low layers know no high ones."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """`kind` is a word such as `root-key`; `console.links` turns kind and id into a URL."""

    kind: str
    id: str
    label: str
