"""The parts of a multipart form, put together in memory as they come."""

from python_multipart.multipart import MultipartParser, parse_options_header

from jaxcap.serve.errors import ApiError, too_large, too_many_images
from jaxcap.serve.limits import FIELD, Limits

FIELDS = 32  # beside images and texts


class Form:
    """A form that is being read: `write` what comes, then ask for its `parts`."""

    def __init__(self, boundary: bytes, limits: Limits):
        self._limits = limits
        self._parts: list[tuple[str, bytearray]] = []
        self._header, self._value, self._name = bytearray(), bytearray(), ""
        self._ended = False
        self._images = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def write(self, chunk: bytes) -> None:
        """Read on.

        Raises:
          ApiError: there are too many parts, or one is too large.
          FormParserError: the form is broken.
        """
        self._parser.write(chunk)

    def parts(self) -> list[tuple[str, bytes]]:
        """The names of all parts and what is in them, in order.

        Raises:
          ApiError: the form is cut short.
        """
        if not self._ended:
            raise ApiError("bad_request", "The form is cut short: its last boundary is missing.")
        return [(name, bytes(data)) for name, data in self._parts]

    def _begin(self) -> None:
        self._name = ""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header, self._value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        if not self._name:
            raise ApiError("bad_request", "A part of the form has no name.")
        self._images += self._name == "image"
        if self._images > self._limits.images:
            raise too_many_images(self._limits.images)
        if len(self._parts) - self._images > FIELDS + self._limits.texts:
            raise ApiError("bad_request", "The form has too many fields.")
        self._parts.append((self._name, bytearray()))

    def _data(self, data: bytes, start: int, end: int) -> None:
        name, kept = self._parts[-1]
        most = self._limits.file_bytes if name == "image" else FIELD
        if len(kept) + end - start > most:
            raise too_large(f"The part {name[:60]!r}", most)
        kept += data[start:end]

    def _end(self) -> None:
        self._ended = True
