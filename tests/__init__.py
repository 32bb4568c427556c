"""Tests of what a user would notice, against real parts: a file for each promise; what tests share has no `test_` in its name."""
