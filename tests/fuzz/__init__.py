"""Coverage-guided fuzzing, by hand: `python -m tests.fuzz.judging` (docs/judgement.md says how)."""
