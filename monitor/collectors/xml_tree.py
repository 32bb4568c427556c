"""XML to a tree, for answers that are XML: no entities of their own, no great depth, nothing fetched."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_DEPTH = 100


class XmlError(ValueError):
    """This is no XML that is read here; the text says why in a few words."""


def parse(body: bytes) -> Element:
    """The root element of a document. Raises XmlError."""
    builder, depth = TreeBuilder(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise XmlError("its elements are nested too deeply")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def entity(*_: object) -> None:
        raise XmlError("it declares entities of its own, which is refused")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise XmlError(f"it breaks off or is broken ({expat.errors.messages.get(error.code, 'no XML')})") from None
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise error if isinstance(error, XmlError) else XmlError("its encoding is not known") from None
    return builder.close()


def words_of(element: Element | None) -> str:
    """All text in an element, markup left out; '' where there is none."""
    return "" if element is None else "".join(element.itertext())
