"""What a page is asked to look for."""

from django.http import HttpRequest

NUL, UNKNOWN = "\0", "\ufffd"


def words(request: HttpRequest) -> str:
    """Return the parameter `q` without blanks around it, as every database takes it: PostgreSQL fails at a NUL."""
    return request.GET.get("q", "").replace(NUL, UNKNOWN).strip()
