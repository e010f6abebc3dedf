"""Small ONNX graphs as text, each with one thing that is easy to get wrong on the way to torch."""

BRANCH = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4] x) => (float[N, 4] y)
<float[4] w = {1, 2, 3, 4}, float zero = {0}>
{ s = ReduceSum<keepdims = 0>(x)
  positive = Greater(s, zero)
  y = If(positive) <then_branch = t () => (float[N, 4] a) { a = Mul(x, w) }, else_branch = e () => (float[N, 4] b) { b = Sub(x, w) }> }"""

SHAPES = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4, 6] x) => (float[N, M, 3] y)
<int64 zero = {0}, int64[1] axis = {0}, int64[2] rest = {-1, 3}>
{ sizes = Shape(x)  n = Gather<axis = 0>(sizes, zero)  row = Unsqueeze(n, axis)  target = Concat<axis = 0>(row, rest)
  y = Reshape(x, target) }"""

CONSTANTS = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4] x) => (float[N, 2] y)
{ w = Constant<value = float[4, 2] {1, 2, 3, 4, 5, 6, 7, 8}>()  b = Constant<value = float[2] {1, 2}>()
  h = MatMul(x, w)  y = Add(h, b) }"""

OLD = """<ir_version: 3, opset_import: ["" : 7]>
g (float[N, 1, 8, 8] x) => (float[N, 3] y)
<float[3, 1, 3, 3] w = {1, 0, -1, 2, 0, -2, 1, 0, -1, 0, 1, 0, 1, -4, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
 float[1] gain = {0.5}>
{ c = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(x, w)  u = Upsample<mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]>(c)
  k = Clip<min = -3.0, max = 3.0>(u)  m = ReduceMean<axes = [2, 3], keepdims = 0>(k)  g = Mul(m, gain)  y = Softmax<axis = 1>(g) }"""

LOOP = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4] x) => (float[N, 4] y)
<int64 rounds = {3}, bool yes = {1}, float[4] w = {0.5, 0.5, 0.5, 0.5}>
{ y = Loop(rounds, yes, x) <body = b (int64 i, bool go, float[N, 4] state) => (bool again, float[N, 4] next)
    { again = Identity(go)  scaled = Mul(state, w)  next = Relu(scaled) }> }"""

FREE_LENGTH = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, T, 4] x) => (float[N, T, 4] y)
{ s = Softmax<axis = 1>(x)  y = Mul(s, x) }"""

NEW = """<ir_version: 10, opset_import: ["" : 24]>
g (int64[N, 5] ids) => (float[N, 5, 4] y)
<float[7, 4] table = {1, -2, 3, 0.5, 2, 1, -1, 0.1, 0, 0.3, 1, 2, -1, -2, 1, 1, 0.7, 0.2, 3, 1, 1, 2, 3, 4, 0, 1, 0, 1}, float[4] gain = {1, 2, 1, 0.5}>
{ x = Gather(table, ids)  n = RMSNormalization<axis = -1>(x, gain)  a = Attention<q_num_heads = 2, kv_num_heads = 2>(n, n, n)
  y = Gelu<approximate = "tanh">(a) }"""

FUNCTION = """<ir_version: 9, opset_import: ["" : 23, "own" : 1]>
g (float[N, 6] x) => (float[N, 6] y)
{ h = own.twice(x)  y = HardSwish(h) }
<opset_import: ["" : 23], domain: "own">
twice (a) => (b) { b = Add(a, a) }"""

BAKED = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4] x) => (float[2, 2, 2] y)
<int64[3] target = {2, 2, 2}>
{ y = Reshape(x, target) }"""

STRANGE = """<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]>
g (float[N, 4] x) => (float[N, 4] y, float[N, 4] z)
{ a = RandomNormalLike(x)  b = RandomNormalLike(x)  y = Add(a, b)  z = ai.onnx.ml.Normalizer<norm = "L2">(x) }"""

SIZE_OF_DATA = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4] x) => (float[M, 4] y)
<int64[2] repeats = {1, 1}>
{ top = ReduceMax<keepdims = 0>(x)  count = Cast<to = 7>(top)  axis = Constant<value = int64[1] {0}>()
  row = Unsqueeze(count, axis)  target = Concat<axis = 0>(row, axis)  y = Tile(x, target) }"""
