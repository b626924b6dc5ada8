"""Keeps out of Serve's own processes what they import and never use."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_ASKER = "ray.serve._private.utils"
_ITS_LAST_USE = "serve_encoders"
_NOT_FOR_IT = "pandas"
"""Serve asks for it so that a route may return its tables, and takes "not there" for an answer."""


class NotForServe(MetaPathFinder):
    """Tells Serve that pandas is not there; whoever else asks for it gets it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's signature
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's signature
    ) -> ModuleSpec | None:
        """Leave every other import to the finders that follow."""
        asker = sys.modules.get(_ASKER)
        if fullname == _NOT_FOR_IT and asker is not None and not hasattr(asker, _ITS_LAST_USE):
            raise ModuleNotFoundError(f"{fullname} is kept out of Serve", name=fullname)
        return None


def keep_serve_lean() -> None:
    """Spare each of Serve's processes 26 MB: pandas is here because OR-tools asks for it.

    Ray runs this first in every process it starts for us.
    """
    if not any(isinstance(finder, NotForServe) for finder in sys.meta_path):
        sys.meta_path.insert(0, NotForServe())
