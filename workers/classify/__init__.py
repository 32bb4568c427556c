"""From a text to the claims in it: pure functions, no input or output."""

from workers.classify.found import Found
from workers.classify.reader import Classifier, Reading, version_of

__all__ = ["Classifier", "Found", "Reading", "version_of"]
