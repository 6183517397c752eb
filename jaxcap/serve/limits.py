"""How much may be asked for: of a request, and of all of them together."""

from dataclasses import dataclass

from PIL import Image

from jaxcap.data.image import MAX_PIXELS, ImageError, upright_size
from jaxcap.serve.errors import ApiError

MIB = 2**20
FIELD = 4096  # bytes of a setting or a text
PILLOW_REFUSES = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Limits:
    """What a request may ask for, and how much the server takes on at once.

    Attributes:
      images: of a request.
      file_bytes: of an image's file.
      pixels: of an image, at most `MAX_PIXELS`.
      beams, num: of a search.
      texts: that are scored in a request.
      body_bytes: of a request.
      held_bytes: of all requests together.
      queue: images of all requests together.
      seconds: that a request may take.
    """

    images: int = 16
    file_bytes: int = 10 * MIB
    pixels: int = MAX_PIXELS
    beams: int = 8
    num: int = 8
    texts: int = 64
    body_bytes: int = 64 * MIB
    held_bytes: int = 512 * MIB
    queue: int = 256
    seconds: float = 60.0

    def check_pixels(self, data: bytes) -> None:
        """Refuse a picture that is too large by its file's head, before anything is decoded.

        What has no head that can be read is left to the decoder, which says why.

        Raises:
          ApiError: too many pixels.
        """
        try:
            width, height = upright_size(data)
        except ImageError as error:
            if isinstance(error.__cause__, PILLOW_REFUSES):
                raise ApiError(
                    "too_many_pixels", f"The image has more than {self.pixels:,} pixels."
                ) from error
            return
        if width * height > self.pixels:
            raise ApiError(
                "too_many_pixels",
                f"The image has {width} x {height} pixels; at most {self.pixels:,} do.",
            )


class Places:
    """Room for so many of something at once."""

    def __init__(self, limit: int):
        self.limit, self.taken = limit, 0

    def take(self, count: int) -> bool:
        """Take places, or none if there are not as many left."""
        fits = self.taken + count <= self.limit
        if fits:
            self.taken += count
        return fits

    def give(self, count: int) -> None:
        """Give places back."""
        self.taken -= count
