"""``definition/describe.py`` under another name; in a container that file itself lies here.

There ``bailiwick.tool`` is the decorator, and a module of that name would take its place.
"""

from bailiwick.definition.describe import ArgumentError, DescribeError, coerce_arguments, describe_function

__all__ = ["ArgumentError", "DescribeError", "coerce_arguments", "describe_function"]
