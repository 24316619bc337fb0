"""URLs of the listener, in a process that gives a request two seconds to arrive."""

from console.listener_urls import handler400, handler403, handler404, handler500, urlpatterns
from serving import arriving

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

arriving.REQUEST_S = 2.0
