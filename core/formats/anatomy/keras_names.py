"""The names that a Keras configuration may hold: what Keras 3 itself brings, without the parts that read files or carry code.

From the public modules of keras 3.15 (https://keras.io/api/) and, where Keras 2 named things differently, of tf_keras 2.21.
"""

import re

MODELS = {"Functional", "Model", "Sequential"}

LAYERS = {
    "Activation", "ActivityRegularization", "Add", "AdditiveAttention", "AlphaDropout", "Attention", "Average",
    "BatchNormalization", "Bidirectional", "CategoryEncoding", "CenterCrop", "Concatenate", "Dense", "Dot", "Dropout",
    "ELU", "EinsumDense", "Embedding", "Flatten", "GRU", "GRUCell", "GaussianDropout", "GaussianNoise",
    "GroupNormalization", "GroupQueryAttention", "GroupedQueryAttention", "Identity", "InputLayer", "LSTM", "LSTMCell",
    "LayerNormalization", "LeakyReLU", "Masking", "Maximum", "MelSpectrogram", "Minimum", "MultiHeadAttention",
    "Multiply", "Normalization", "PReLU", "Permute", "RMSNormalization", "RNN", "RandomBrightness", "RandomContrast",
    "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "ReLU", "RepeatVector", "Rescaling", "Reshape",
    "Resizing", "ReversibleEmbedding", "STFTSpectrogram", "SimpleRNN", "SimpleRNNCell", "Softmax",
    "SpectralNormalization", "StackedRNNCells", "Subtract", "TimeDistributed", "UnitNormalization",
    "SyncBatchNormalization", "ThresholdedReLU",
    *(f"{kind}{n}D" for n in (1, 2, 3) for kind in (
        "AdaptiveAveragePooling", "AdaptiveMaxPooling", "AveragePooling", "AvgPool", "Conv", "ConvLSTM", "Convolution",
        "Cropping", "DepthwiseConv", "GlobalAveragePooling", "GlobalAvgPool", "GlobalMaxPool", "GlobalMaxPooling",
        "MaxPool", "MaxPooling", "SeparableConv", "SeparableConvolution", "SpatialDropout", "UpSampling", "ZeroPadding",
    )),
    *(f"{kind}{n}DTranspose" for n in (1, 2, 3) for kind in ("Conv", "Convolution")),
}  # fmt: skip

INITIALIZERS = {
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer",
    "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal", "RandomUniform",
    "STFT", "STFTInitializer", "TruncatedNormal", "VarianceScaling", "Zeros",
}  # fmt: skip

REGULARIZERS = {"L1", "L1L2", "L2", "OrthogonalRegularizer"}
CONSTRAINTS = {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}
POLICIES = {"DTypePolicy", "FloatDTypePolicy", "Policy"}

ACTIVATIONS = {
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink", "threshold",
}  # fmt: skip

OPERATORS = {
    "numpy": {
        "Abs", "Absolute", "Add", "All", "Amax", "Amin", "Any", "Arccos", "Arccosh", "Arcsin", "Arcsinh", "Arctan",
        "Arctan2", "Arctanh", "Argmax", "Argmin", "Argsort", "Average", "BroadcastTo", "Cbrt", "Ceil", "Clip",
        "Concatenate", "Cos", "Cosh", "CountNonzero", "Cumprod", "Cumsum", "Diagonal", "Diff", "Divide", "DivideNoNan",
        "Dot", "Einsum", "Equal", "Exp", "Exp2", "ExpandDims", "Expm1", "Flip", "Floor", "FloorDivide", "FullLike",
        "GetItem", "Greater", "GreaterEqual", "Hstack", "Hypot", "Isfinite", "Isinf", "Isnan", "Less", "LessEqual",
        "Log", "Log10", "Log1p", "Log2", "Logaddexp", "LogicalAnd", "LogicalNot", "LogicalOr", "LogicalXor", "Matmul",
        "Max", "Maximum", "Mean", "Min", "Minimum", "Mod", "Moveaxis", "Multiply", "NanToNum", "Negative", "NotEqual",
        "OnesLike", "Outer", "Pad", "Power", "Prod", "Ravel", "Reciprocal", "Repeat", "Reshape", "Roll", "Round",
        "Sign", "Sin", "Sinh", "Sort", "Split", "Sqrt", "Square", "Squeeze", "Stack", "Std", "Subtract", "Sum",
        "Swapaxes", "Take", "TakeAlongAxis", "Tan", "Tanh", "Tensordot", "Tile", "Transpose", "Tril", "Triu",
        "TrueDivide", "Trunc", "Var", "Vstack", "Where", "ZerosLike",
    },
    "nn": {
        "AveragePool", "BatchNorm", "Celu", "Conv", "ConvTranspose", "DepthToSpace", "DepthwiseConv",
        "DotProductAttention", "Elu", "Gelu", "Glu", "HardShrink", "HardSigmoid", "HardSilu", "HardTanh", "LayerNorm",
        "LeakyRelu", "LogSigmoid", "LogSoftmax", "MaxPool", "Moments", "Normalize", "OneHot", "RMSNorm", "Relu", "Relu6",
        "Selu", "SeparableConv", "Sigmoid", "Silu", "SoftShrink", "Softmax", "Softplus", "Softsign", "SpaceToDepth",
        "Sparsemax", "Squareplus", "TanhShrink", "Threshold",
    },
    "math": {"Erf", "Erfc", "Erfinv", "Logsumexp", "Rsqrt", "TopK"},
    "core": {"Cast", "Slice", "StopGradient", "Unstack"},
    "image": {"Resize", "RGBToGrayscale", "PadImages", "CropImages"},
    "linalg": {"Norm"},
}  # fmt: skip
"""Classes of ``keras.src.ops`` that a Functional model keeps for ``a + b``, ``ops.mean(x)`` and the like."""

TENSORFLOW: dict[str, tuple[str, str]] = {
    **{f"{place}.{name}": ("numpy", kind) for place in ("math", "__operators__") for name, kind in (
        ("add", "Add"), ("subtract", "Subtract"), ("multiply", "Multiply"), ("divide", "Divide"), ("truediv", "Divide"),
        ("maximum", "Maximum"), ("minimum", "Minimum"),
    )},
    **{f"math.{name}": ("numpy", kind) for name, kind in (
        ("abs", "Abs"), ("exp", "Exp"), ("log", "Log"), ("negative", "Negative"), ("sqrt", "Sqrt"),
        ("square", "Square"), ("tanh", "Tanh"), ("sin", "Sin"), ("cos", "Cos"),
    )},
    **{f"nn.{name}": ("nn", kind) for name, kind in (
        ("relu", "Relu"), ("relu6", "Relu6"), ("sigmoid", "Sigmoid"), ("silu", "Silu"), ("swish", "Silu"),
        ("softplus", "Softplus"), ("softsign", "Softsign"), ("selu", "Selu"), ("elu", "Elu"),
    )},
    "math.sigmoid": ("nn", "Sigmoid"), "nn.tanh": ("numpy", "Tanh"),
}  # fmt: skip
"""Functions of TensorFlow that a Keras 2 model keeps for ``a + b`` or ``tf.nn.relu(a)``, with the operator that does the same."""

VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"}

FORBIDDEN = {
    "Lambda": "Python code inside the file",
    "__lambda__": "Python code inside the file",
    "__typespec__": "a TensorFlow type",
    "TorchModuleWrapper": "a pickled torch module inside the file",
    "TFSMLayer": "another model read from a folder",
    "JaxLayer": "a JAX function",
    "FlaxLayer": "a Flax module",
    **dict.fromkeys(
        ("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "HashedCrossing", "Discretization"),
        "a table or text step that only TensorFlow can run",
    ),
}
"""Classes of Keras that are refused, and what they hold."""

SECTIONS: tuple[tuple[re.Pattern[str], set[str]], ...] = tuple(
    (re.compile(rf"(?:tf_)?keras(?:\.src|\.api)?(?:\.v\d)?\.(?:{words})(?:\.[a-z0-9_]+)*"), names)
    for words, names in (
        ("layers|legacy\\.layers", LAYERS),
        ("models|engine", MODELS),
        ("initializers", INITIALIZERS),
        ("regularizers", REGULARIZERS),
        ("constraints", CONSTRAINTS),
        ("dtype_policies|mixed_precision", POLICIES),
        *((f"ops\\.{section}", names) for section, names in OPERATORS.items()),
    )
)
"""Modules by their dotted path, with the classes that are taken from each."""

ANYWHERE = LAYERS | MODELS | INITIALIZERS | REGULARIZERS | CONSTRAINTS | POLICIES | set().union(*OPERATORS.values())
"""For files of Keras 2 and .h5, which name a class without its module."""


def known(class_name: str, module: str | None) -> bool:
    """Say whether Keras itself has a harmless class of this name in this module."""
    if module is None:
        return class_name in ANYWHERE
    if module in ("keras", "tf_keras"):
        return class_name in MODELS | POLICIES
    return any(class_name in names for rule, names in SECTIONS if rule.fullmatch(module))
