"""What identifies a masked line: rows hold it in place of a template, which may become known later."""

from hashlib import blake2b

from sluice.templates.masks import MASK_VERSION


def template_key(application_id: int, masked: str) -> int:
    """A signed 64-bit hash of the application, the version of the masks and the masked line."""
    content = f"{application_id} {MASK_VERSION} {masked}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), signed=True)
