"""From a text to the claims in it: pure functions, no input or output."""

from workers.classify.reader import Classifier, Found, Reading, Scorer

__all__ = ["Classifier", "Found", "Reading", "Scorer"]
