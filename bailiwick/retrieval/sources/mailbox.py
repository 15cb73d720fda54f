"""Mail archives in mbox form: each message is a document."""

from __future__ import annotations

import email.policy
import hashlib
import mailbox
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path

from bailiwick.documents import Fact, Section
from bailiwick.errors import DocumentError
from bailiwick.retrieval.sources.item import Content, Item

__all__ = ["Mailbox"]


class Mailbox:
    """The messages of the archive ``file``, by their Message-ID. Attachments are left out.

    A message's HTML is for the parser; its plain text, where it has one, is taken instead. Addresses are not taken in.
    """

    folder = None
    complete = True
    count: int | None = None
    skipped: Sequence[str] = ()

    def __init__(self, file: Path, *, name: str, facts: Mapping[str, Fact] | None = None) -> None:
        self.name = name
        self.scope = f"mbox:{name}"
        self._file = file
        self._facts = {"kind": "mail", **(facts or {})}

    def items(self) -> Iterator[Item]:
        box = mailbox.mbox(self._file, create=False)
        try:
            for key in box.iterkeys():
                yield self._item(box.get_bytes(key))
        except (OSError, mailbox.Error) as error:
            raise DocumentError(f"{self._file.name}: {error}") from error
        finally:
            box.close()

    def _item(self, raw: bytes) -> Item:
        head = BytesParser(policy=email.policy.default).parsebytes(raw, headersonly=True)
        key = str(head.get("message-id", "")).strip(" <>") or hashlib.sha256(raw).hexdigest()[:32]
        facts: dict[str, Fact] = dict(self._facts)
        if date := head.get("date"):
            with suppress(ValueError):
                facts["date"] = parsedate_to_datetime(str(date)).date().isoformat()
        subject = " ".join(str(head.get("subject", "")).split())
        return Item(
            source=f"{self.scope}#{key}",
            name=subject or f"{self.name}#{key}",
            load=lambda _: _content(raw),
            facts=facts,
        )


def _content(raw: bytes) -> Content:
    message = BytesParser(policy=email.policy.default).parsebytes(raw)
    subject = " ".join(str(message.get("subject", "")).split())
    try:
        plain = message.get_body(("plain",))
        if plain is not None:
            text = str(plain.get_content()).replace("\r\n", "\n").strip()
            if text:
                return Content(sections=[Section(text=text, start=0, heading=subject)])
        html = message.get_body(("html",))
        if html is not None:
            page = f"<h1>{subject}</h1>\n{html.get_content()}" if subject else str(html.get_content())
            return Content(suffix=".html", data=page.encode())
    except (LookupError, ValueError, AttributeError) as error:
        raise DocumentError(f"the message cannot be read: {error}") from error
    raise DocumentError("there is no text in it")
