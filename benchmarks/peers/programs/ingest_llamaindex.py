"""LlamaIndex's ingestion pipeline into Chroma, with its docstore kept on the disk, as its documentation shows it.

PYTHON ingest_llamaindex.py FOLDER DOCUMENTS URL    → the number of documents that Chroma holds in the end
"""

from __future__ import annotations

import sys
from pathlib import Path

import chromadb
from llama_index.core import Document
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore

folder, documents, url = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
collection = chromadb.PersistentClient(str(folder / "chroma")).get_or_create_collection("documents")
embedding = OpenAIEmbedding(model_name="served", api_base=url, api_key="none", embed_batch_size=64)
pipeline = IngestionPipeline(
    transformations=[embedding],
    vector_store=ChromaVectorStore(chroma_collection=collection),
    docstore=SimpleDocumentStore(),
)
if (folder / "pipeline").exists():
    pipeline.load(str(folder / "pipeline"))
read = [
    Document(text=file.read_text(), doc_id=file.name, metadata={"source": file.name})
    for file in sorted(documents.iterdir())
]
pipeline.run(documents=read)
pipeline.persist(str(folder / "pipeline"))
print(len({each["source"] for each in collection.get(include=["metadatas"])["metadatas"]}))
