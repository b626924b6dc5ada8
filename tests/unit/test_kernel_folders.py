"""Where compiled kernels are kept, and for how long."""

import os
from pathlib import Path

from core.timetable.solvers.kernels import forget_old


def test_what_old_versions_compiled_is_removed(tmp_path: Path) -> None:
    """The four newest folders of kernels stay, and whatever else lies beside them."""
    for age, letter in enumerate("abcdef"):
        folder = tmp_path / f"kernels-{letter * 12}"
        folder.mkdir()
        (folder / "kernels.o").write_bytes(b"code")
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "kernels-of-somebody").mkdir()
    forget_old(tmp_path)
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == [*(f"kernels-{letter * 12}" for letter in "abcd"), "kernels-of-somebody"]


def test_a_place_that_is_not_there_is_left_alone(tmp_path: Path) -> None:
    """Somebody else may tidy up at the same moment."""
    forget_old(tmp_path / "nowhere")
