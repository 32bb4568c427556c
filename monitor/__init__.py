"""The daemon: collectors, the stream, the store, the API and pages, the command line."""

__version__ = "0.1.0"

import os

# numpy's library for sums otherwise takes a thread a core, and these wait for each other in loops: on a machine with other work
# a post then costs three times as much. A process here is one core's work; more workers take more. numpy reads it when imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
