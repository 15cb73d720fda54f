"""Calculation by code. Runs inside the sandbox, which has no files, no network and little time."""

import ast
import contextlib
import io

from bailiwick import tool


@tool
def run_python(code: str) -> dict:
    """Run a few lines of Python for a calculation; gives what they print and the value of the last expression.

    Args:
        code: Python source; the standard library is there, files and network are not.
    """
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    names: dict = {"__name__": "__main__"}
    said = io.StringIO()
    value = None
    with contextlib.redirect_stdout(said):
        exec(compile(tree, "<code>", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<code>", "eval"), names)
    return {"value": None if value is None else str(value), "printed": said.getvalue()}
