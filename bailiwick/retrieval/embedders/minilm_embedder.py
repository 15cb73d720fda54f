"""all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0) in onnxruntime, each batch padded to its own longest text.

Chroma's own class pads every text to 256 tokens, which for short ones is most of the work. Texts are sorted by length,
so that a batch's members are alike, and cut at 256 tokens, which is what the model was trained with.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from bailiwick.errors import ModelNotConfigured
from bailiwick.retrieval.embedders.embedder import Manners, Vectors

__all__ = ["FOLDER_SETTING", "MiniLMEmbedder", "minilm_folder"]

FOLDER_SETTING = "BAILIWICK_MINILM"
MAX_TOKENS = 256
AT_ONCE = 16


def minilm_folder() -> Path | None:
    """Where ``model.onnx`` and ``tokenizer.json`` lie: what BAILIWICK_MINILM names, else where Chroma puts them."""
    named = os.environ.get(FOLDER_SETTING, "").strip()
    folder = Path(named) if named else Path.home() / ".cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx"
    whole = (folder / "model.onnx").is_file() and (folder / "tokenizer.json").is_file()
    return folder if whole else None


class MiniLMEmbedder:
    """Vectors of 384 dimensions and length 1: the mean over the tokens of a text."""

    name = "minilm"
    manners = Manners(texts_at_once=128)

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = {each.name for each in session.get_inputs()}

    @classmethod
    def load(cls, folder: Path | None = None) -> MiniLMEmbedder:
        """Read the model. Raises ModelNotConfigured where it is not, and cannot be fetched."""
        folder = folder or minilm_folder() or _fetched()
        import onnxruntime
        from tokenizers import Tokenizer

        tokenizer = cast("Any", Tokenizer).from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        options = cast("Any", onnxruntime).SessionOptions()
        options.log_severity_level = 3
        try:
            session = cast("Any", onnxruntime).InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own kinds, none of them public
            raise ModelNotConfigured(
                f"the model in {folder} cannot be loaded: {error}", fix="delete that folder, and it is fetched again"
            ) from error
        return cls(session, tokenizer)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        tokens = [each.ids for each in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda at: len(tokens[at]))
        vectors = np.zeros((len(tokens), 384), dtype=np.float32)
        for start in range(0, len(order), AT_ONCE):
            rows = order[start : start + AT_ONCE]
            vectors[rows] = self._run([tokens[at] for at in rows])
        return vectors

    def embed_question(self, text: str) -> Vectors:
        return self.embed_passages([text])

    def _run(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, each in enumerate(tokens):
            ids[row, : len(each)] = each
            mask[row, : len(each)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(None, {name: value for name, value in given.items() if name in self._inputs})[0]
        weights = mask[:, :, None].astype(np.float32)
        mean = (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)


def _fetched() -> Path:
    """Have Chroma's class fetch it, which checks its hash."""
    try:
        from chromadb.utils.embedding_functions import ONNXMiniLM_L6_V2

        cast("Any", ONNXMiniLM_L6_V2)(preferred_providers=["CPUExecutionProvider"])(["ready"])
    except Exception as error:  # no network, no room, a wrong hash
        raise ModelNotConfigured(
            f"the model all-MiniLM-L6-v2 is not here and cannot be fetched: {error}",
            fix=f"name a folder with model.onnx and tokenizer.json by {FOLDER_SETTING}, or use the embedder static",
        ) from error
    folder = minilm_folder()
    if folder is None:
        raise ModelNotConfigured(
            "the model all-MiniLM-L6-v2 was fetched, and is not where it was expected",
            fix=f"name its folder by {FOLDER_SETTING}",
        )
    return folder
