"""No test pays for a model by accident: while this is on, whatever would reach one raises."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from bailiwick.errors import ModelRequestForbidden
from bailiwick.models import resolve

__all__ = ["forbid_model_requests"]

_CLIENTS = ("httpx", "httpx2")
"""HTTP clients that providers' packages use; the second is what recent ones have moved to."""


@contextmanager
def forbid_model_requests() -> Generator[None]:
    """Raise ModelRequestForbidden for every model that is looked up by name and every HTTP request that leaves here.

    Servers on this machine may still be asked: a test of the wire needs one, and it costs nothing. The switch is for
    the whole process, since a request may come from any of its threads. Providers that use another client than httpx
    are stopped where their models are looked up, and only there.
    """
    with ExitStack() as stack:
        look_up: Callable[..., Any] = resolve.init_chat_model
        stack.enter_context(patch.object(resolve, "init_chat_model", _checked_look_up(look_up)))
        for client in filter(find_spec, _CLIENTS):
            module = import_module(client)
            for name, method, checked in (
                ("HTTPTransport", "handle_request", _checked),
                ("AsyncHTTPTransport", "handle_async_request", _checked_async),
            ):
                transport = getattr(module, name)
                stack.enter_context(patch.object(transport, method, checked(getattr(transport, method))))
        yield


def _checked(handle: Callable[..., Any]) -> Callable[..., Any]:
    def handle_request(self: Any, request: Any) -> Any:
        _check(request.url.host)
        return handle(self, request)

    return handle_request


def _checked_async(handle: Callable[..., Any]) -> Callable[..., Any]:
    async def handle_async_request(self: Any, request: Any) -> Any:
        _check(request.url.host)
        return await handle(self, request)

    return handle_async_request


def _checked_look_up(look_up: Callable[..., Any]) -> Callable[..., Any]:
    def init_chat_model(name: str, **options: Any) -> Any:
        _check(urlsplit(os.environ.get(resolve.BASE_URL, "")).hostname or name)
        return look_up(name, **options)

    return init_chat_model


def _check(host: str) -> None:
    if not _is_here(host):
        raise ModelRequestForbidden(
            f"a request to {host} was about to be made, and model requests are forbidden here",
            fix="give the agent a FunctionModel or a ScriptedModel, or leave forbid_model_requests()",
        )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
