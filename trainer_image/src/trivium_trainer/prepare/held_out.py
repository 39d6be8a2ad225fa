"""Which rows are held out for evaluation: decided by the prompt alone."""

import hashlib

_SALT = b"trivium held-out 1"  # fixed: the same prompt falls on the same side in every job and every data set


def is_held_out(key: str, *, fraction: float) -> bool:
    """Whether the row with this prompt is held out.

    Rows with one prompt stay together, so no question is trained with one answer and tested with another. Surrounding
    space and case do not count.
    """
    if fraction == 0:
        return False
    digest = hashlib.blake2b(key.strip().casefold().encode(errors="surrogatepass"), key=_SALT, digest_size=8).digest()
    return int.from_bytes(digest) < fraction * 2**64
