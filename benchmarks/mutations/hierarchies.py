"""Changes of an HDF5 file by its attributes, data sets and links."""

import io
import random
from typing import Any

from benchmarks.mutations.bait import Bait
from benchmarks.mutations.texts import hot, json_changed


def hdf5_changed(data: bytes, dice: random.Random, bait: Bait) -> bytes:
    """Change the configuration of the model, lose or reshape a data set, or add a link out of the file."""
    import h5py

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        named: list[str] = []
        file.visit(named.append)
        inner = [name for name in named if isinstance(file[name], h5py.Dataset)]
        holders = [one for one in (file, *(file[name] for name in named)) if len(one.attrs)]
        act = dice.randrange(5)
        if act < 2 and holders:
            attribute_changed(dice.choice(holders), dice, bait)
        elif act == 2 and inner:
            name = dice.choice(inner)
            del file[name]
            if dice.random() < 0.6:
                file.create_dataset(name, dice.choice(((0,), (1, 1, 1), (3, 10**6))), dtype="f4", chunks=True)
        elif act == 3:
            link = dice.choice(
                (h5py.ExternalLink(str(bait.secret), "/x"), h5py.SoftLink("/nowhere"), h5py.SoftLink("/"))
            )
            file[f"linked{dice.randrange(9)}"] = link
        elif named:
            file.copy(dice.choice(named), hot(bait, dice).replace("\0", "").encode(errors="ignore").decode() or "again")
    return buffer.getvalue()


def attribute_changed(holder: Any, dice: random.Random, bait: Bait) -> None:
    """Change one attribute: a JSON document by its values, all else by a text."""
    name = dice.choice(list(holder.attrs))
    old = holder.attrs[name]
    new: Any = hot(bait, dice).replace("\0", "").encode(errors="ignore")
    if isinstance(old, str | bytes) and (old if isinstance(old, str) else old.decode(errors="ignore")).startswith("{"):
        new = json_changed(old.encode() if isinstance(old, str) else old, dice, bait)
    holder.attrs[name] = new
