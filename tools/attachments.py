"""What customers send along. Runs inside the sandbox, with pypdf: a stranger's file is opened nowhere else."""

from pathlib import Path

from bailiwick import span, tool

ATTACHMENTS = Path("/work/data/attachments")
CHARACTERS = 20_000


@tool
def read_attachment(name: str) -> dict:
    """Read the text of a file that the customer attached.

    Args:
        name: The file's name as the customer's message gives it.
    """
    file = ATTACHMENTS / name
    if not file.is_file():
        raise FileNotFoundError(f"no attachment is called {name}")
    if file.suffix.lower() == ".pdf":
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError

        with span("parse"):
            try:
                reader = PdfReader(file)
                pages = [page.extract_text() for page in reader.pages[:50]]
            except (PyPdfError, ValueError, KeyError) as error:
                raise ValueError(f"{name} is not a readable PDF: {error}") from None
        text = "\n\n".join(pages)
        return {"name": name, "pages": len(reader.pages), "text": text[:CHARACTERS]}
    return {"name": name, "pages": 1, "text": file.read_text(errors="replace")[:CHARACTERS]}
