"""all-MiniLM-L6-v2 as an ONNX model, made of the weights as sentence-transformers publishes them.

Hubs that have it as ONNX are not everywhere within reach; a registry that has the weights is. The graph is BERT's
(Devlin et al., 2019) with six layers, written down here by hand, and its output is that of ``BertModel``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

HIDDEN, HEADS, LAYERS = 384, 12, 6
SIZE = HIDDEN // HEADS


class Graph:
    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name].astype(np.float32))

    def linear(self, inputs: str, name: str) -> str:
        matrix = self.constant(f"{name}.matrix", np.ascontiguousarray(self.weights[f"{name}.weight"].T))
        return self.op("Add", self.op("MatMul", inputs, matrix), self.weight(f"{name}.bias"))

    def norm(self, inputs: str, name: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", inputs, scale, bias, axis=-1, epsilon=1e-12)

    def heads(self, inputs: str, order: list[int]) -> str:
        shape = self.constant("split", np.array([0, 0, HEADS, SIZE], dtype=np.int64))
        return self.op("Transpose", self.op("Reshape", inputs, shape), perm=order)

    def layer(self, states: str, mask: str, name: str) -> str:
        asked, keys, values = (
            self.linear(states, f"{name}.attention.self.{part}") for part in ("query", "key", "value")
        )
        scores = self.op("MatMul", self.heads(asked, [0, 2, 1, 3]), self.heads(keys, [0, 2, 3, 1]))
        scaled = self.op("Mul", scores, self.constant("scale", np.array(SIZE**-0.5, dtype=np.float32)))
        shares = self.op("Softmax", self.op("Add", scaled, mask), axis=-1)
        mixed = self.op("Transpose", self.op("MatMul", shares, self.heads(values, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        together = self.op("Reshape", mixed, self.constant("join", np.array([0, 0, HIDDEN], dtype=np.int64)))
        attended = self.op("Add", self.linear(together, f"{name}.attention.output.dense"), states)
        states = self.norm(attended, f"{name}.attention.output.LayerNorm")
        wide = self.op("Gelu", self.linear(states, f"{name}.intermediate.dense"))
        return self.norm(self.op("Add", self.linear(wide, f"{name}.output.dense"), states), f"{name}.output.LayerNorm")


def write_minilm(weights: Path, file: Path) -> None:
    """From ``model.safetensors`` to ``model.onnx``."""
    graph = Graph(load_file(weights))
    words = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    kinds = graph.op("Gather", graph.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    length = graph.op("Gather", graph.op("Shape", "input_ids"), graph.constant("one", np.array(1, dtype=np.int64)))
    zero, one = graph.constant("zero", np.array(0, dtype=np.int64)), "one"
    places = graph.op("Range", zero, length, one)
    placed = graph.op("Gather", graph.weight("embeddings.position_embeddings.weight"), places)
    states = graph.norm(graph.op("Add", graph.op("Add", words, kinds), placed), "embeddings.LayerNorm")
    axes = graph.constant("axes", np.array([1, 2], dtype=np.int64))
    seen = graph.op("Unsqueeze", graph.op("Cast", "attention_mask", to=TensorProto.FLOAT), axes)
    unseen = graph.op("Sub", graph.constant("all", np.array(1, dtype=np.float32)), seen)
    mask = graph.op("Mul", unseen, graph.constant("never", np.array(-1e9, dtype=np.float32)))
    for number in range(LAYERS):
        states = graph.layer(states, mask, f"encoder.layer.{number}")
    graph.nodes.append(helper.make_node("Identity", [states], ["last_hidden_state"]))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", HIDDEN])
    made = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], list(graph.constants.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString())
