"""Networks from timm's list, by name; classes and channels are read off the weights."""

from core.domain.errors import Refused, Unavailable, refusing
from core.domain.groups import GROUPS
from core.formats.anatomy.findings import JsonObject
from core.libraries.architectures.weights import State
from core.libraries.torch import Module

ALLOWED = frozenset({"num_classes", "in_chans", "img_size", "patch_size", "window_size", "global_pool", "class_token"})
"""Arguments that change the network and fetch nothing."""
CLOSE = 5


def make(name: str, arguments: JsonObject, state: State) -> tuple[Module, str]:
    """Return the network and its usual input shape. Raises Refused for a name off the list, Unavailable without timm."""
    if reason := GROUPS["timm"].unavailable():
        raise Unavailable(reason, "Install it and try again, or add the Python file that defines the network.")
    define_vision_operators()
    import timm

    known = timm.list_models()
    if name not in known:
        raise Refused(f"timm has no architecture {name[:60]!r}.", _similar(name, known))
    off = sorted(set(arguments) - ALLOWED)
    if off:
        raise Refused(f"{', '.join(off)} cannot be set here.", f"Arguments here: {', '.join(sorted(ALLOWED))}.")
    settings = timm.models.get_pretrained_cfg(name)
    chosen = {**_read_off(settings.to_dict() if settings else {}, state), **arguments}
    with refusing(f"timm cannot build {name} with {chosen}", "Leave out the arguments."):
        module = timm.create_model(name, pretrained=False, **chosen)
    return module, _usual_shape(module, chosen)


def define_vision_operators() -> None:
    """Declare the two operators without which torchvision's Python part, which timm imports, does not load beside a CPU build of torch."""
    import torch

    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
            library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
            _KEPT.append(library)


_KEPT: list[object] = []
"""A library of operators lasts as long as its object."""


def _read_off(settings: JsonObject, state: State) -> dict[str, int]:
    """Return the number of classes by the last layer's weight and of channels by the first one's, where the file has them."""
    found: dict[str, int] = {}
    for key, argument, axis in (("classifier", "num_classes", 0), ("first_conv", "in_chans", 1)):
        names = settings.get(key) or ()
        for name in [names] if isinstance(names, str) else names:
            weight = next((tensor for held, tensor in state.items() if _ends(held, f"{name}.weight")), None)
            if weight is not None and weight.dim() > axis:
                found.setdefault(argument, int(weight.shape[axis]))
    return found


def _ends(held: str, name: str) -> bool:
    return held == name or held.endswith(f".{name}")


def _usual_shape(module: Module, chosen: JsonObject) -> str:
    settings = getattr(module, "default_cfg", None) or {}
    channels, *sides = settings.get("input_size") or (3, 224, 224)
    asked = chosen.get("img_size")
    sides = sides if asked is None else [asked, asked] if isinstance(asked, int) else list(asked)
    return "x".join(map(str, (chosen.get("in_chans", channels), *sides)))


def _similar(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, CLOSE, 0.4)
    return f"Names like it: {', '.join(near)}." if near else "Choose a name from timm.list_models()."
