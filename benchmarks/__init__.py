"""What exowatch costs, measured beside a limit or a peer in the same run. `python -m benchmarks --help`; docs/benchmarks.md."""
