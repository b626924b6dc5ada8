"""A school's pictures, as they lie in the object store."""

from core.ports import ObjectStore


class StoredPictures:
    """The object store as the place where logos, photographs and signatures are."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def load(self, key: str) -> bytes:
        """Return a picture's bytes. Raises ``NotFound``."""
        return await self._store.get(key)
