"""A school's pictures, as they lie in the object store."""

from core.errors import NotFound
from core.ids import SchoolId
from core.ports import ObjectStore


class StoredPictures:
    """The object store as the place where a school's logos, photographs and signatures are; no other school's."""

    def __init__(self, store: ObjectStore, school: SchoolId) -> None:
        self._store = store
        self._prefix = f"{school}/"

    async def load(self, key: str) -> bytes:
        """Return a picture's bytes. Raises ``NotFound``."""
        if not key.startswith(self._prefix):
            raise NotFound("there is no such picture")
        return await self._store.get(key)
