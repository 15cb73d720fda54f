"""LangChain's ``index()`` into Chroma, as its documentation shows it.

PYTHON ingest_langchain.py FOLDER DOCUMENTS URL    → the number of documents that Chroma holds in the end
"""

from __future__ import annotations

import sys
from pathlib import Path

from langchain_chroma import Chroma
from langchain_classic.indexes import SQLRecordManager, index
from langchain_core.documents import Document
from langchain_openai import OpenAIEmbeddings

folder, documents, url = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
folder.mkdir(parents=True, exist_ok=True)
embeddings = OpenAIEmbeddings(
    model="served", base_url=url, api_key="none", check_embedding_ctx_length=False, chunk_size=64
)
store = Chroma("documents", embedding_function=embeddings, persist_directory=str(folder / "chroma"))
manager = SQLRecordManager("documents", db_url=f"sqlite:///{folder / 'records.db'}")
manager.create_schema()
read = [Document(file.read_text(), metadata={"source": file.name}) for file in sorted(documents.iterdir())]
index(read, manager, store, cleanup="incremental", source_id_key="source", key_encoder="sha256")
print(len({each["source"] for each in store.get(include=["metadatas"])["metadatas"]}))
