"""What customers send along. Runs inside the sandbox, with pypdf: a stranger's file is opened nowhere else."""

from pathlib import Path

from bailiwick import span, tool

ATTACHMENTS = Path("/work/data/attachments")
CHARACTERS = 20_000


@tool
def read_attachment(name: str) -> str:
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
        return "\n\n".join(pages)[:CHARACTERS]
    return file.read_text(errors="replace")[:CHARACTERS]
