"""The operators of TensorFlow that a SavedModel may hold: arithmetic on tensors, and what loading and branching need.

Names are those of https://www.tensorflow.org/api_docs/python/tf/raw_ops; what the network reaches must be arithmetic, what
only training or saving reaches may also be a gradient or the saver's own.
"""

import re

_ARITHMETIC = """
    Abs Acos Acosh Add AddN AddV2 AdjustContrastv2 AdjustHue AdjustSaturation All Angle Any ApproximateEqual ArgMax ArgMin
    Asin Asinh Assert Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp Atan Atan2 Atanh
    AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND BiasAdd BiasAddV1 Bincount Bitcast BitwiseAnd
    BitwiseOr BitwiseXor BlockLSTM BlockLSTMV2 BroadcastArgs BroadcastTo Bucketize CTCGreedyDecoder Cast Ceil CheckNumerics
    CheckNumericsV2 ClipByValue Complex ComplexAbs Concat ConcatOffset ConcatV2 Conj ConjugateTranspose Const Conv2D
    Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 Cos Cosh CropAndResize Cross CudnnRNN CudnnRNNV2 CudnnRNNV3 Cumprod
    Cumsum DepthToSpace DepthwiseConv2dNative DisableCopyOnRead Div DivNoNan DynamicPartition DynamicStitch Einsum Elu
    EmptyTensorList EnsureShape Enter Equal Erf Erfc EuclideanNorm Exit Exp ExpandDims Expm1 ExtractImagePatches FFT FFT2D
    FFT3D FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod
    FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 GRUBlockCell Gather GatherNd GatherV2 Greater GreaterEqual HSVToRGB
    IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D Identity IdentityN If Imag InTopK InTopKV2 Inv Invert InvertPermutation
    IsFinite IsInf IsNan IsVariableInitialized L2Loss LRN LeakyRelu LeftShift Less LessEqual LinSpace ListDiff Log Log1p
    LogSoftmax LogicalAnd LogicalNot LogicalOr LoopCond MatMul MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV3
    MatrixDiagV3 MatrixInverse Max MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Merge Min Minimum MirrorPad
    Mod Mul MulNoNan Multinomial Neg NextIteration NoOp NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3
    NonMaxSuppressionV4 NonMaxSuppressionV5 NotEqual OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch PartitionedCall
    Placeholder PlaceholderWithDefault Pow PreventGradient Prod RFFT RFFT2D RFFT3D RGBToHSV RaggedTensorToSparse
    RaggedTensorToTensor RandomStandardNormal RandomUniform RandomUniformInt Range Rank ReadVariableOp Real RealDiv
    Reciprocal Relu Relu6 Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ResourceGather
    ResourceGatherNd Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt ScatterNd SegmentSum Select SelectV2
    Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToBatchND SpaceToDepth
    SparseFillEmptyRows SparseReshape SparseSegmentMean SparseSegmentSqrtN SparseSegmentSum SparseTensorDenseMatMul
    SparseToDense Split SplitV Sqrt Square SquaredDifference Squeeze StatefulPartitionedCall StatelessIf
    StatelessRandomGetKeyCounter StatelessRandomUniformV2 StatelessWhile StopGradient StridedSlice Sub Sum Switch Tan Tanh
    TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3
    TensorArrayV3 TensorArrayWriteV3 TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGather
    TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack TensorListReserve TensorListResize
    TensorListSetItem TensorListStack TensorScatterAdd TensorScatterUpdate Tile TopK TopKV2 Transpose TruncateDiv
    TruncateMod Unique UniqueWithCounts Unpack UnravelIndex UnsortedSegmentMax UnsortedSegmentSum VarHandleOp
    VarIsInitializedOp Variable VariableV2 Where While Xdivy Xlog1py Xlogy ZerosLike
"""
ARITHMETIC = set(_ARITHMETIC.split())
"""Operators that make tensors from tensors, and the ways in which a graph branches, loops and calls."""

SAVER = {"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename", "StaticRegexFullMatch", "StringJoin"}
"""What writes and reads the variables; only the functions in which TensorFlow itself puts them may hold them."""
SAVING = re.compile(r"__inference__traced_(save|restore)_\d+")
TRAINING = re.compile(r"[A-Za-z0-9]*(Grad|Gradient|Backprop)[A-Za-z0-9]*|BroadcastGradientArgs")

OUTSIDE = re.compile(
    r"(Eager)?PyFunc\w*|\w*(Read|Write)File\w*|MatchingFiles|\w*Dataset\w*|\w*Iterator\w*|\w*Reader\w*|(?!(Histogram|Scalar|Image|Audio|Tensor|Merge)Summary(V2)?$)\w*Summary\w*"
    r"|\w*Debug\w*|Print(V2)?|\w*Rpc\w*|_?(Host)?(Send|Recv)|LoadLibrary|InitializeTableFromTextFile\w*|\w*Queue\w*|XlaLaunch\w*"
    r"|Save|SaveSlices|Restore|RestoreSlice|Abort|RemoteCall|TfLite\w*|\w*TPU\w*|\w*Checkpoint\w*|RegisterDataset\w*"
)
"""Operators that run foreign code, or read, write or send beyond the graph, or stop the process.

Those that only make the text of a summary (ScalarSummary ...) reach nothing; writers of summaries do.
"""

DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "str", 9: "int64", 10: "bool",
    14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64", 8: "complex64", 18: "complex128",
}  # fmt: skip
"""DataType of tensorflow/core/framework/types.proto."""
