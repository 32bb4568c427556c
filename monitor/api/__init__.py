"""HTTP: the API under `/api/v1`, live events, health and metrics, and the pages."""

from monitor.api.app import make_app
from monitor.api.parts import Parts, Readiness

__all__ = ["Parts", "Readiness", "make_app"]
