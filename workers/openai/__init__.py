"""Judging by a language model behind an OpenAI-compatible server, with the local classifier to fall back on.

The model reads; it does not judge. It says which proposition stands where in the post and with what stance, and nothing else of
its answer is used: verdict, evidence, identity, `why` and offsets are made here, as for local finds.
"""
