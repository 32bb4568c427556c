"""What exowatch costs, measured beside a limit or a peer in the same run: `make bench`, docs/benchmarks.md."""
