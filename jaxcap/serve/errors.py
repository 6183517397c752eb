"""What goes wrong with a request: a code for programs, a sentence for people, a status of HTTP."""

from typing import Any

STATUS = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_large": 413,
    "unsupported_media": 415,
    "bad_image": 422,
    "bad_setting": 422,
    "too_many_images": 422,
    "too_many_pixels": 422,
    "busy": 429,
    "internal": 500,
    "draining": 503,
    "warming_up": 503,
    "timeout": 504,
}


class ApiError(Exception):
    """An answer that is an error.

    Attributes:
      code: one of `STATUS`.
      message: a sentence.
      retry_after: seconds after which the same request may fare better.
    """

    def __init__(self, code: str, message: str, retry_after: int | None = None):
        super().__init__(message)
        self.code, self.message, self.retry_after = code, message, retry_after

    @property
    def status(self) -> int:
        return STATUS[self.code]

    def body(self) -> dict[str, Any]:
        """As it is answered, or stands in the place of one image's captions."""
        return {"error": {"code": self.code, "message": self.message}}


def too_large(what: str, limit: int) -> ApiError:
    """That something has more bytes than it may."""
    return ApiError("too_large", f"{what} has more than {limit:,} bytes, which is the most.")


def too_many_images(limit: int) -> ApiError:
    """That a request has more images than it may."""
    return ApiError("too_many_images", f"A request may have at most {limit} images.")
