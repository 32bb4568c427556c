"""The daemon: collectors, the stream, the store, the API and pages, the command line."""

__version__ = "0.1.0"
