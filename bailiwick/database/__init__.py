"""One database for what must not be lost: SQLite in a file, or PostgreSQL by one setting, with the same promises."""

from bailiwick.database.holding import hold
from bailiwick.database.opening import database_setting, open_database
from bailiwick.database.protocol import Database, Row

__all__ = ["Database", "Row", "database_setting", "hold", "open_database"]
