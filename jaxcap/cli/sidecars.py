"""Captions in files beside the photographs, where other programs look for them."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from jaxcap.atomic import write_text
from jaxcap.cli.pictures import Picture
from jaxcap.cli.told import Told
from jaxcap.errors import UserError

_SPACES = {  # of XMP: ISO 16684-1 and the IPTC photo metadata standard
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def _txt(told: Told) -> str:
    return "".join(f"{caption.text}\n" for caption in told.captions)


def _json(told: Told) -> str:
    return json.dumps(told.as_object(), indent=1) + "\n"


def _xmp(told: Told) -> str:
    """The best caption, as the description and as the alternative text."""
    for prefix, space in _SPACES.items():
        ElementTree.register_namespace(prefix, space)

    def named(name: str) -> str:
        prefix, _, local = name.partition(":")
        return f"{{{_SPACES[prefix]}}}{local}"

    root = ElementTree.Element(named("x:xmpmeta"))
    rdf = ElementTree.SubElement(root, named("rdf:RDF"))
    described = ElementTree.SubElement(rdf, named("rdf:Description"), {named("rdf:about"): ""})
    for field in ("dc:description", "Iptc4xmpCore:AltTextAccessibility"):
        languages = ElementTree.SubElement(
            ElementTree.SubElement(described, named(field)), named("rdf:Alt")
        )
        item = ElementTree.SubElement(languages, named("rdf:li"), {_LANGUAGE: "x-default"})
        item.text = told.captions[0].text
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


FORMATS: dict[str, Callable[[Told], str]] = {"txt": _txt, "json": _json, "xmp": _xmp}


class Sidecars:
    """A file beside each photograph: photo.txt beside photo.jpg.

    Where two photographs of a folder differ in their suffix alone each keeps it: photo.jpg.txt.

    Raises:
      UserError: a photograph is no file.
    """

    def __init__(self, form: str, pictures: Sequence[Picture]):
        files = {picture.name: picture.file for picture in pictures}
        nowhere = [name for name, file in files.items() if file is None]
        if nowhere:
            raise UserError(
                f"There is no place beside {nowhere[0]} for a sidecar. Use --jsonl or --csv."
            )
        self.form = form
        self._places = sidecars([file for file in files.values() if file is not None], form)

    def has(self, picture: Picture) -> bool:
        """Whether there is one already, which somebody else may have written."""
        return picture.file is not None and self._places[picture.file].exists()

    def tell(self, told: Told) -> None:
        """Write the file of one photograph; none where there is nothing to say.

        Raises:
          UserError: it cannot be written.
        """
        if not told.captions:
            return
        place = self._places[told.files[0]]
        try:
            write_text(place, FORMATS[self.form](told))
        except OSError as error:
            raise UserError(f"{place} cannot be written: {error.strerror}.") from error


def sidecars(photographs: Iterable[Path], form: str) -> dict[Path, Path]:
    """The file of each photograph."""
    short = {path: path.with_suffix(f".{form}") for path in photographs}
    shared = Counter(short.values())
    return {
        path: place if shared[place] == 1 else path.with_name(f"{path.name}.{form}")
        for path, place in short.items()
    }
