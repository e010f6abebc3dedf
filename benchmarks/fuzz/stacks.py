"""Random stacks of Keras layers on torch: tables, pictures with odd padding, steps with masks, and ids of a table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz import draws
from benchmarks.fuzz.graphs import SHAKES
from benchmarks.fuzz.specimen import Inputs, Question, Specimen, Unmade
from core.libraries import keras_files

SAMPLES, PICTURES = 6_000, 1_500
MOST = 2048
"""Numbers that one sample may become on the way."""


@dataclass
class Stack:
    """Layers while they are drawn, with the shape of a sample behind the last."""

    rng: np.random.Generator
    keras: Any
    layers: list[Any] = field(default_factory=list)

    def pick(self, *choices: Any) -> Any:
        """Return one of the choices."""
        return choices[int(self.rng.integers(len(choices)))]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from low to high."""
        return int(self.rng.integers(low, high + 1))


def made(seed: int, folder: Path) -> Specimen:
    """Draw one stack and save it. Raises Unmade where Keras does not run it."""
    keras = keras_files.library()
    keras.utils.set_random_seed(seed)
    stack = Stack(np.random.default_rng([seed, 5]), keras)
    asked = _input(stack)
    try:
        with keras_files.quiet(), keras.device("cpu"):
            model = _grown(stack, asked)
            _weighted(model, stack.rng)
            path = folder / "model.keras"
            model.save(path)
            answer = partial(_answer, model, None)
            answer({asked.name: draws.drawn(stack.rng, asked, "ordinary", (3, *map(_known, asked.shape)))})
    except Exception as error:
        raise Unmade(f"{type(error).__name__}: {str(error)[:200]}") from None
    most = PICTURES if len(asked.shape) > 1 else SAMPLES
    about = " ".join(type(layer).__name__ for layer in stack.layers)
    ways = () if _masks(model) else tuple(partial(_answer, model, n) for n in range(len(SHAKES)))

    def questions(dice: np.random.Generator) -> Iterator[Question]:
        return draws.questions(dice, (asked,), None, most=most)

    return Specimen(path, "keras", (answer,), questions, about, shaken=ways)


def _known(size: int | None) -> int:
    return 8 if size is None else size


def _input(s: Stack) -> draws.Field:
    kind = s.pick("table", "table", "picture", "picture", "series", "series", "ids")
    layers = s.keras.layers
    if kind == "ids":
        rows, shape = s.whole(3, 30), (s.whole(2, 7),)
        s.layers += [layers.Embedding(rows, s.whole(1, 6), mask_zero=s.pick(True, False))]
        return draws.Field("x", "int32", shape, rows=rows)
    shapes: dict[str, tuple[int | None, ...]] = {
        "table": (s.whole(1, 8),),
        "series": (s.pick(None, s.whole(2, 8)), s.whole(1, 6)),
        "picture": (s.whole(3, 9), s.whole(3, 9), s.whole(1, 4)),
    }
    if kind == "series" and s.rng.random() < 0.4:
        s.layers.append(layers.Masking(s.pick(0.0, -1.0)))
    return draws.Field("x", "float32", shapes[kind])


def _grown(s: Stack, asked: draws.Field) -> Any:
    """Add layers that Keras takes, and return the model."""
    first = x = s.keras.Input(asked.shape, dtype=asked.dtype, name="x")
    for layer in s.layers:
        x = layer(x)
    wanted = len(s.layers) + s.whole(1, 6)
    for _ in range(40):
        if len(s.layers) >= wanted:
            break
        table = {2: FLAT, 3: SERIES, 4: PICTURE}.get(len(x.shape), [])
        layer = s.pick(*ANY, *table, *table)(s)
        try:
            y = layer(x)
        except Exception:
            continue
        sizes = [_known(size) for size in y.shape[1:]]
        if 2 <= len(y.shape) <= 4 and 0 < int(np.prod(sizes)) <= MOST:
            s.layers.append(layer)
            x = y
    return s.keras.Model(first, x)


def _weighted(model: Any, rng: np.random.Generator) -> None:
    """Give what begins as zeros and ones, such as means and variances, numbers as after a training."""
    for weight in model.weights:
        values = np.asarray(weight.detach().cpu() if hasattr(weight, "detach") else weight.value.detach().cpu())
        if "seed" in weight.path or values.dtype.kind != "f" or not np.isin(values, (0.0, 1.0)).all():
            continue
        low = 0.01 if "variance" in weight.path or "gamma" in weight.path else -0.5
        weight.assign(rng.uniform(low, 1.0, values.shape).astype(np.float32))


def _masks(model: Any) -> bool:
    return any(type(one).__name__ == "Masking" or getattr(one, "mask_zero", False) for one in model.layers)


def _answer(model: Any, way: int | None, inputs: Inputs) -> list[np.ndarray]:
    """Return what the model answers; in a way of ``SHAKES``, with each number moved that much behind each layer."""
    import torch

    keras, x = keras_files.library(), torch.from_numpy(next(iter(inputs.values())))
    with torch.no_grad(), keras_files.quiet(), keras.device("cpu"):
        if way is None:
            return [model(x, training=False).numpy()]
        dice = torch.Generator().manual_seed(way)
        for layer in model.layers[1:]:
            x = layer(x, training=False) if _trains(layer) else layer(x)
            if x.dtype == torch.float32:
                share, more = ((torch.rand(x.shape, generator=dice) * 2 - 1) * SHAKES[way] for _ in range(2))
                x = x * (1 + share) + more
        return [x.numpy()]


def _trains(layer: Any) -> bool:
    return type(layer).__name__ in ("BatchNormalization", "Dropout", "GaussianNoise", "SpatialDropout1D")


def activation(s: Stack) -> Any:
    """A layer without weights, or with few."""
    layers = s.keras.layers
    kinds: list[Callable[[], Any]] = [
        lambda: layers.Activation(s.pick(
            "relu", "gelu", "silu", "elu", "selu", "softplus", "softsign", "tanh", "sigmoid", "hard_sigmoid", "mish", "softmax",
            "exponential", "leaky_relu", "relu6", "log_softmax", "celu", "glu", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus",
        )),
        lambda: layers.ReLU(s.pick(None, 2.0), s.pick(0.0, 0.2), s.pick(0.0, 0.5)), lambda: layers.LeakyReLU(0.2), lambda: layers.PReLU("glorot_uniform"),
        lambda: layers.ELU(0.7), lambda: layers.Softmax(s.pick(-1, 1)), lambda: layers.Dropout(0.5), lambda: layers.GaussianNoise(0.5),
        lambda: layers.Rescaling(s.pick(1 / 255, -2.0), s.pick(0.0, 0.5)), lambda: layers.UnitNormalization(), lambda: layers.Dense(s.whole(1, 8), s.pick(None, "relu", "tanh"), s.pick(True, False)),
    ]  # fmt: skip
    return s.pick(*kinds)()


def normal(s: Stack) -> Any:
    """A normalisation with an epsilon of any size."""
    layers, eps = s.keras.layers, s.pick(1e-12, 1e-5, 1e-3, 1e-2)
    kinds: list[Callable[[], Any]] = [
        lambda: layers.BatchNormalization(epsilon=max(eps, 1e-5), scale=s.pick(True, False), center=s.pick(True, False)), lambda: layers.LayerNormalization(epsilon=eps),
        lambda: layers.RMSNormalization(epsilon=eps), lambda: layers.GroupNormalization(1, epsilon=eps),
        lambda: layers.Normalization(mean=s.pick(0.0, 3.0, -300.0), variance=s.pick(1.0, 100.0)),
    ]  # fmt: skip
    return s.pick(*kinds)()


def convolve(s: Stack) -> Any:
    """A convolution over a picture, with any step, gap and padding."""
    layers, padding = s.keras.layers, s.pick("same", "same", "valid")
    size, steps, gaps = (s.whole(1, 3), s.whole(1, 3)), s.pick(1, 1, 2, 3), s.pick(1, 2)
    gaps = gaps if steps == 1 else 1
    kinds: list[Callable[[], Any]] = [
        lambda: layers.Conv2D(s.whole(1, 6), size, steps, padding, dilation_rate=gaps), lambda: layers.DepthwiseConv2D(size, steps, padding, s.whole(1, 2)),
        lambda: layers.SeparableConv2D(s.whole(1, 6), size, steps, padding), lambda: layers.Conv2DTranspose(s.whole(1, 4), size, steps, padding),
    ]  # fmt: skip
    return s.pick(*kinds)()


def pool(s: Stack) -> Any:
    """A pooling with any window, step and padding, or another size."""
    layers, k, steps, padding = (
        s.keras.layers,
        (s.whole(1, 3), s.whole(1, 3)),
        s.pick(None, 1, 2, 3),
        s.pick("same", "valid"),
    )
    kinds: list[Callable[[], Any]] = [
        lambda: layers.MaxPooling2D(k, steps, padding), lambda: layers.AveragePooling2D(k, steps, padding), lambda: layers.GlobalAveragePooling2D(keepdims=s.pick(True, False)),
        lambda: layers.GlobalMaxPooling2D(), lambda: layers.UpSampling2D(s.pick(2, (1, 3)), interpolation=s.pick("nearest", "bilinear")), lambda: layers.ZeroPadding2D(((1, 0), (2, 1))),
        lambda: layers.Cropping2D(((0, 1), (1, 0))), lambda: layers.Permute((3, 1, 2)), lambda: layers.Flatten(), lambda: layers.Reshape((-1, s.whole(1, 3))),
    ]  # fmt: skip
    return s.pick(*kinds)()


def recur(s: Stack) -> Any:
    """A recurrent layer, one way or both, or a layer of each step."""
    layers, n, every = s.keras.layers, s.whole(1, 4), s.pick(True, False)
    given = {"return_sequences": every, "go_backwards": s.pick(False, False, True)}
    kinds: list[Callable[[], Any]] = [
        lambda: layers.LSTM(n, recurrent_activation=s.pick("sigmoid", "hard_sigmoid"), **given), lambda: layers.GRU(n, reset_after=s.pick(True, False), **given),
        lambda: layers.SimpleRNN(n, s.pick("tanh", "relu"), **given), lambda: layers.Bidirectional(layers.LSTM(n, return_sequences=every), s.pick("concat", "sum", "mul", "ave")),
        lambda: layers.Bidirectional(layers.GRU(n, return_sequences=every)), lambda: layers.TimeDistributed(layers.Dense(n, "tanh")),
    ]  # fmt: skip
    return s.pick(*kinds)()


def steps(s: Stack) -> Any:
    """A convolution or pooling over steps, or fewer axes."""
    layers, k = s.keras.layers, s.whole(1, 3)
    kinds: list[Callable[[], Any]] = [
        lambda: layers.Conv1D(s.whole(1, 6), k, 1, s.pick("causal", "same", "valid"), dilation_rate=s.pick(1, 2)), lambda: layers.MaxPooling1D(k, s.pick(None, 1, 2), s.pick("same", "valid")),
        lambda: layers.AveragePooling1D(k, s.pick(None, 1, 2), s.pick("same", "valid")), lambda: layers.GlobalAveragePooling1D(), lambda: layers.GlobalMaxPooling1D(),
        lambda: layers.Flatten(), lambda: layers.UpSampling1D(2), lambda: layers.ZeroPadding1D((1, 2)), lambda: layers.Cropping1D((1, 0)), lambda: layers.SpatialDropout1D(0.3),
    ]  # fmt: skip
    return s.pick(*kinds)()


def repeat(s: Stack) -> Any:
    """One more axis."""
    return s.pick(s.keras.layers.RepeatVector(s.whole(1, 3)), s.keras.layers.Reshape((-1, 1)))


ANY = [activation, activation, normal]
FLAT = [activation, repeat]
SERIES = [recur, recur, steps, steps]
PICTURE = [convolve, convolve, pool, pool]
