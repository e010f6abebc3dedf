"""A small writer of ONNX operators in float64 for the converters of this package."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from core.libraries.sklearn import Estimator

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto
    from skl2onnx.common import _container, _topology

Scope: TypeAlias = "_topology.Scope"
Operator: TypeAlias = "_topology.Operator"
OPSET = 13
FLOAT, INT64, BOOL, DOUBLE = 1, 7, 9, 11
"""ONNX's numbers of element types."""


class EstimatorGraph:
    """The operators of one estimator; names of values go in and come out."""

    def __init__(self, scope: Scope, operator: Operator, container: "_container.ModelComponentContainer") -> None:
        self._scope, self._operator, self._container = scope, operator, container
        self.model = operator.raw_operator

    @property
    def inputs(self) -> list["_topology.Variable"]:
        """The values that come in, each with its type."""
        return list(self._operator.inputs)

    def node(self, kind: str, *names: str, out: str = "", version: int = OPSET, **attributes: object) -> str:
        """Add an operator and return its answer's name."""
        made = out or str(self._scope.get_unique_variable_name(kind.lower()))
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, list(names), made, op_version=version, name=name, **attributes)
        return made

    def constant(self, values: npt.ArrayLike, kind: int = DOUBLE) -> str:
        """Add a constant: float64 unless told otherwise."""
        array: np.ndarray = np.asarray(
            values, {DOUBLE: np.float64, FLOAT: np.float32, INT64: np.int64, BOOL: np.bool_}[kind]
        )
        name = str(self._scope.get_unique_variable_name("learned"))
        self._container.add_initializer(name, kind, list(array.shape), array.ravel().tolist())
        return name

    def taken_over(
        self, nodes: "Iterable[NodeProto]", constants: "Iterable[TensorProto]", names: dict[str, str]
    ) -> dict[str, str]:
        """Add operators and constants of another graph under free names, and return all names by those that they had."""
        from onnx import helper, numpy_helper

        for tensor in constants:
            array = numpy_helper.to_array(tensor)
            names[tensor.name] = str(self._scope.get_unique_variable_name("learned"))
            self._container.add_initializer(
                names[tensor.name], tensor.data_type, list(array.shape), array.ravel().tolist()
            )
        for node in nodes:
            given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
            names[node.output[0]] = self.node(node.op_type, *(names[name] for name in node.input), **given)
        return names

    def joined(self) -> str:
        """Return the inputs side by side as they are."""
        names = [value.full_name for value in self._operator.inputs]
        return names[0] if len(names) == 1 else self.node("Concat", *names, axis=1)

    def table(self) -> str:
        """Return the inputs side by side in float64 [batch, columns]."""
        return self.cast(self.joined(), DOUBLE)

    def cast(self, name: str, kind: int) -> str:
        """Change the element type."""
        return self.node("Cast", name, to=kind)

    def op(self, kind: str, name: str, *operands: npt.ArrayLike) -> str:
        """Apply an operator to a value and constants."""
        return self.node(
            kind, name, *(operand if isinstance(operand, str) else self.constant(operand) for operand in operands)
        )

    def sum(self, name: str, axis: int = 1, keepdims: int = 1) -> str:
        """Add up along an axis."""
        return self.node("ReduceSum", name, self.constant([axis], INT64), keepdims=keepdims)

    def gather(self, name: str, places: npt.ArrayLike, axis: int = 1) -> str:
        """Choose columns by place."""
        return self.node("Gather", name, self.constant(places, INT64), axis=axis)

    def squared_distances(self, name: str, centres: npt.ArrayLike) -> str:
        """Return squared Euclidean distances [batch, centres] from the differences themselves."""
        apart = self.op("Sub", self.node("Unsqueeze", name, self.constant([1], INT64)), np.asarray(centres)[None])
        return self.sum(self.node("Mul", apart, apart), axis=2, keepdims=0)

    def expanded(self, name: str, centres: npt.ArrayLike) -> str:
        """Return squared Euclidean distances [batch, centres] as scikit-learn adds them up, so that far away both lose the same."""
        squares = self.sum(self.node("Mul", name, name))
        table, products = np.asarray(centres, np.float64), self.products(name, centres)
        whole = self.op("Add", self.node("Add", squares, products), (table**2).sum(axis=1)[None])
        return self.op("Max", whole, 0.0)

    def products(self, name: str, centres: npt.ArrayLike) -> str:
        """Return minus two times the product with each centre [batch, centres]."""
        return self.op("MatMul", name, -2 * np.asarray(centres, np.float64).T)

    def first(self, distances: str) -> str:
        """Return the place of the smallest distance [batch]."""
        return self.node("ArgMin", distances, axis=1, keepdims=0)

    def give(self, name: str, place: int = 0, kind: int = FLOAT) -> None:
        """Hand a value on as an output."""
        self.node("Cast", name, out=self._operator.outputs[place].full_name, to=kind)

    def label(self, places: str) -> None:
        """Hand on the class at each place [batch] as the first output."""
        classes = np.asarray(self.model.classes_)
        out = self._operator.outputs[0].full_name
        if classes.dtype.kind in "OUS":
            name = str(self._scope.get_unique_variable_name("classes"))
            self._container.add_initializer(name, 8, [len(classes)], [str(c).encode() for c in classes])
            self.node("Gather", name, places, out=out, axis=0)
        else:
            self.node("Gather", self.constant(classes.astype(np.int64), INT64), places, out=out, axis=0)

    def classes(self, scores: str) -> None:
        """Hand on the class with the largest score, and the scores."""
        self.label(self.node("ArgMax", scores, axis=1, keepdims=0))
        self.give(scores, 1)

    def inner(self, model: Estimator, outputs: int) -> list[str]:
        """Convert an estimator within this one, on the same inputs, and return its outputs' names."""
        from skl2onnx._supported_operators import _get_sklearn_operator_name  # the converters of ensembles use it too
        from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

        part = self._scope.declare_local_operator(_get_sklearn_operator_name(type(model)), model)
        part.inputs = list(self._operator.inputs)
        kinds = [Int64TensorType(), FloatTensorType()] if outputs == 2 else [FloatTensorType()]
        for kind in kinds:
            part.outputs.append(self._scope.declare_local_variable("inner", kind))
        return [value.full_name for value in part.outputs]


Writer = Callable[[EstimatorGraph], None]


def teach(kind: type, write: Writer, width: Callable[[Estimator], int] | None = None) -> None:
    """Register a converter: of a classifier, of a regressor, or of a transformer with its number of columns."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )
    from sklearn.base import ClassifierMixin, RegressorMixin

    options = None
    shapes = _columns(width)
    if width is None and issubclass(kind, ClassifierMixin):
        shapes = calculate_linear_classifier_output_shapes
        options = {"zipmap": [True, False, "columns"], "nocl": [True, False], "raw_scores": [True, False]}
    elif width is None and issubclass(kind, RegressorMixin):
        shapes = calculate_linear_regressor_output_shapes

    update_registered_converter(kind, f"Portolan{kind.__name__}", shapes, converter(write), options=options)


def converter(write: Writer) -> Callable[[Scope, Operator, "_container.ModelComponentContainer"], None]:
    """Return what skl2onnx calls to have an estimator written."""

    def convert(scope: Scope, operator: Operator, container: "_container.ModelComponentContainer") -> None:
        write(EstimatorGraph(scope, operator, container))

    return convert


def _columns(width: Callable[[Estimator], int] | None) -> Callable[[Operator], None]:
    def shapes(operator: Operator) -> None:
        from skl2onnx.common.data_types import FloatTensorType

        rows = operator.inputs[0].get_first_dimension()
        operator.outputs[0].type = FloatTensorType([rows, width(operator.raw_operator) if width else 1])

    return shapes
