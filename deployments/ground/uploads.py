"""Files that are uploaded, read with a bound."""

from fastapi import UploadFile

from deployments.ground.problem import TooLarge

_PIECE_BYTES = 64 * 1024


async def bounded_upload(file: UploadFile, limit_bytes: int) -> bytes:
    """Return the file's content. Raises ``TooLarge`` (413) as soon as it passes the limit."""
    content = bytearray()
    while piece := await file.read(_PIECE_BYTES):
        content += piece
        if len(content) > limit_bytes:
            raise TooLarge(f"the file is larger than {limit_bytes // 1024} KiB")
    return bytes(content)
