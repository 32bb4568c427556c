"""Jetstream's compressed frames: each one zstd frame, made with a dictionary that the server gives out."""

from __future__ import annotations

import zstandard

_PIECE = 64 * 1024
_MOST_WINDOW = 8 * 1024 * 1024  # bytes of memory that a frame may ask for


class FrameError(Exception):
    """A frame that is broken, made with another dictionary, or too long once it is unpacked."""


class Unpacker:
    """Unpacks frames. Raises ValueError where `dictionary` is none."""

    def __init__(self, dictionary: bytes) -> None:
        try:
            given = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_FULLDICT)
            self.id: int = given.dict_id()
            self._zstd = zstandard.ZstdDecompressor(dict_data=given, max_window_size=_MOST_WINDOW)
        except zstandard.ZstdError as error:
            raise ValueError("what the server gives is no dictionary") from error
        if not self.id:
            raise ValueError("what the server gives is no dictionary")

    def unpack(self, frame: bytes, most: int) -> bytes:
        """What the frame holds. Raises FrameError where that is more than `most` bytes.

        Read piece by piece: frames need not say their size, and what they say of it cannot be believed.
        """
        try:
            with self._zstd.stream_reader(frame) as reader:
                piece = reader.read(_PIECE)
                if len(piece) < _PIECE:
                    return piece
                whole = bytearray(piece)
                while piece := reader.read(_PIECE):
                    whole += piece
                    if len(whole) > most:
                        raise FrameError(f"a frame unpacks to more than {most} bytes")
                return bytes(whole)
        except zstandard.ZstdError as error:
            raise FrameError("a frame that zstd cannot read") from error
