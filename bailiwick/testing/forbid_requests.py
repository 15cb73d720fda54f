"""No test pays for a model by accident: while this is on, whatever would reach one raises."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx

from bailiwick.errors import ModelRequestForbidden
from bailiwick.models import resolve

__all__ = ["forbid_model_requests"]


@contextmanager
def forbid_model_requests() -> Generator[None]:
    """Raise ModelRequestForbidden for every model that is looked up by name and every HTTP request that leaves here.

    Servers on this machine may still be asked: a test of the wire needs one, and it costs nothing. The switch is for
    the whole process, since a request may come from any of its threads. Providers that do not use httpx are stopped
    where their models are looked up.
    """
    synchronous, asynchronous = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request
    look_up: Callable[..., Any] = resolve.init_chat_model

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        _check(request.url.host)
        return synchronous(self, request)

    async def handle_async_request(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        _check(request.url.host)
        return await asynchronous(self, request)

    def init_chat_model(name: str, **options: Any) -> Any:
        _check(urlsplit(os.environ.get(resolve.BASE_URL, "")).hostname or name)
        return look_up(name, **options)

    with (
        patch.object(httpx.HTTPTransport, "handle_request", handle_request),
        patch.object(httpx.AsyncHTTPTransport, "handle_async_request", handle_async_request),
        patch.object(resolve, "init_chat_model", init_chat_model),
    ):
        yield


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
