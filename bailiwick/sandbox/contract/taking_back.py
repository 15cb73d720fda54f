"""Attacks by the files that a tool leaves to be taken back."""

from __future__ import annotations

from bailiwick.sandbox.contract.attack import Attack, Scene
from bailiwick.sandbox.contract.judges import answered

__all__ = ["TAKING_BACK"]

_FILES = 16
_LONG = 2**36
"""Bytes of a file that takes no room; more than any container may have."""


async def _odd(scene: Scene) -> str:
    result = await scene.call("leave.py", "leave_odd_output", files=_FILES)
    if wrong := answered(result):
        return wrong
    if result.value["link to a file"] != "done":
        return f"the links were not made, so that nothing was tried: {result.value}"
    taken = {file.name: file.data for file in result.files}
    if taken.pop("honest.txt", None) != b"honest":
        return f"an honest file was not taken back beside the odd ones: {result.files_left_out}"
    # An empty file of an odd name is as good as any other; what leads elsewhere is not.
    foreign = [name for name, data in taken.items() if data or name.startswith("/") or ".." in name.split("/")]
    return f"took back {foreign}" if foreign else ""


async def _sparse(scene: Scene) -> str:
    result = await scene.call("leave.py", "leave_sparse_output", {"bytes_long": _LONG}, files=_FILES)
    return answered(result) or (f"took back {[file.name for file in result.files]}" if result.files else "")


async def _folder(scene: Scene) -> str:
    result = await scene.call("leave.py", "replace_the_output_folder", files=_FILES)
    return answered(result) or (f"took back {[file.name for file in result.files]}" if result.files else "")


TAKING_BACK: tuple[Attack, ...] = (
    Attack(
        name="output-links",
        tried="leaves links, loops, sockets, names that climb and closed folders among the files to be taken back",
        promise="regular files are taken back, and no link is followed",
        attempt=_odd,
        cves=("CVE-2018-15664", "CVE-2019-14271"),
    ),
    Attack(
        name="output-folder",
        tried="puts a link in the place of the folder whose files are taken back",
        promise="the folder is the one that was made for the call",
        attempt=_folder,
        cves=("CVE-2018-15664",),
    ),
    Attack(
        name="output-sparse",
        tried="leaves a file that takes no room and is read as 64 GiB of zeros",
        promise="no file is read beyond the bound, and the answer is given without it",
        attempt=_sparse,
    ),
)
