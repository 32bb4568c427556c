"""Fuzzing of the classifier and of every parser, a short run of it among the tests and as long as you like by `make fuzz`."""
