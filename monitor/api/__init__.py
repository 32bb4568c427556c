"""HTTP: the API under `/api/v1`, live events, health and metrics, and the pages."""

from monitor.api.app import make_app
from monitor.api.parts import Parts, Readiness
from monitor.api.queries import MAX_LINE

__all__ = ["MAX_LINE", "Parts", "Readiness", "make_app"]
