"""An embedder that needs neither network nor model server: one vector per token, averaged.

The vectors and the tokenizer are WordLlama's (l2_supercat, 256 dimensions), which lie in its wheel. They are read here
by hand: its own ``load`` looks for the tokenizer in a folder that the wheel does not have and then wants to fetch it,
and importing it configures the root logger of the whole process.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np

from bailiwick.errors import ModelNotConfigured
from bailiwick.retrieval.embedders.embedder import Vectors

__all__ = ["StaticEmbedder"]

DIMENSIONS = 256


class StaticEmbedder:
    """WordLlama's vectors, averaged over the tokens of a text and brought to length 1."""

    name = "static"

    def __init__(self, vectors: Vectors, tokenizer: Any) -> None:
        self._vectors = vectors
        self._tokenizer = tokenizer

    @classmethod
    def load(cls) -> StaticEmbedder:
        """Read the weights. Raises ModelNotConfigured when the wordllama package is not there or has none."""
        from safetensors import safe_open
        from tokenizers import Tokenizer

        spec = find_spec("wordllama")
        folder = Path(spec.origin).parent if spec and spec.origin else Path()
        weights = folder / "weights" / f"l2_supercat_{DIMENSIONS}.safetensors"
        tokens = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
        if spec is None or not weights.is_file() or not tokens.is_file():
            raise ModelNotConfigured(
                "the static embedder's weights are missing from the wordllama package",
                fix="install wordllama 0.4, or name another embedder",
            )
        with cast("Any", safe_open)(str(weights), framework="np") as file:
            vectors = np.asarray(file.get_tensor("embedding.weight"), dtype=np.float32)
        tokenizer = cast("Any", Tokenizer).from_file(str(tokens))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(np.ascontiguousarray(vectors), tokenizer)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        rows = np.zeros((len(texts), self._vectors.shape[1]), dtype=np.float32)
        for row, tokens in zip(rows, encoded, strict=True):
            known = [token for token in tokens.ids if token < len(self._vectors)]
            if known:
                mean = self._vectors[known].mean(axis=0)
                row[:] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return rows

    def embed_question(self, text: str) -> Vectors:
        return self.embed_passages([text])
