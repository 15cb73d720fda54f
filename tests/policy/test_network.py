"""What a policy may say of hosts: each in one spelling, none too wide, and never where a cloud keeps credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bailiwick.errors import PolicyError
from bailiwick.policy import Endpoint, Network, load_policy


def load(folder: Path, allow: str) -> Network:
    file = folder / "call.yaml"
    file.write_text(f"version: 1\ntool: call\nsandbox:\n  network:\n    allow:\n    - {allow}\n")
    return load_policy(file).policy.sandbox.network


def test_a_text_is_a_host_and_a_port_without_further_limits(tmp_path: Path) -> None:
    network = load(tmp_path, "api.x:443")
    assert network.allow == (Endpoint(host="api.x", port=443),)
    assert network.bytes == 16 * 2**20
    (entry,) = load(tmp_path, "{host: api.x, port: 443, methods: [GET], paths: [/v1/], addresses: [10.0.0.0/8]}").allow
    assert (entry.methods, entry.paths, entry.tls, entry.addresses) == (("GET",), ("/v1/",), None, ("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("API.Example:443", "api.example"),
        ("api.example.:443", "api.example"),
        ("straße.example:443", "xn--strae-oqa.example"),
        ("db_1:5432", "db_1"),
        ("192.0.2.1:443", "192.0.2.1"),
        ('"[2001:DB8::1]:443"', "2001:db8::1"),
        ("{host: '2001:db8::1', port: 443}", "2001:db8::1"),
        ("１９２.０.２.１:443", "192.0.2.1"),
    ],
)
def test_a_host_has_one_spelling(tmp_path: Path, written: str, host: str) -> None:
    assert load(tmp_path, written).allow[0].host == host


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("0x7f.1:80", "a number in place of a host"),
        ("0x7f000001:80", "a number in place of a host"),
        ("2130706433:80", "a number in place of a host"),
        ("127.1:80", "a number in place of a host"),
        ("0177.0.0.1:80", "a number in place of a host"),
        ("127.0.0.01:80", "a number in place of a host"),
        ("１２７.１:80", "a number in place of a host"),
        ('"[::ffff:127.0.0.1]:80"', "write 127.0.0.1"),
        ('"[::FFFF:7f00:1]:80"', "write 127.0.0.1"),
        ('"[2001:db8:0:0::1]:80"', "write [2001:db8::1]"),
        ('"[fe80::1%eth0]:80"', "without %"),
        ('"[api.x]:80"', "only an IPv6 address stands in brackets"),
        ("2001:db8::1:443", "no host with a port"),
        ("'*:443'", "too wide"),
        ("'*.example:443'", "too wide"),
        ("{host: '*.example', port: 443}", "too wide"),
        ("api.example", "no host with a port"),
        ("api.example:0", "no host with a port"),
        ("api.example:65536", "no host with a port"),
        ("https://api.example:443", "no host"),
        ("user@api.example:443", "no host"),
        ("'api..example:443'", "no host"),
        ("-api.example:443", "no host"),
        ("'api example:443'", "no host"),
        ("'xn--.☃️:443'", "no host"),
        ("0.0.0.0:80", "not the address of one host"),
        ('"[::]:80"', "not the address of one host"),
        ("224.0.0.1:80", "not the address of one host"),
        ("255.255.255.255:80", "not the address of one host"),
        ("{host: api.x, port: 443, paths: [v1]}", "v1"),
        ("{host: api.x, port: 443, paths: [/v1/../x]}", "no beginning of a path"),
        ("{host: api.x, port: 443, paths: [//x]}", "no beginning of a path"),
        ("{host: api.x, port: 443, paths: ['/v1%2f']}", "v1%2f"),
        ("{host: api.x, port: 443, methods: [get]}", "get"),
        ("{host: api.x, port: 443, addresses: [10.0.0.1/8]}", "no network"),
        ("{host: api.x, port: 443, addresses: [somewhere]}", "no network"),
        ("{host: api.x, port: 443, addresses: [0.0.0.0/0]}", "too wide"),
        ("{host: api.x, port: 443, addresses: ['::/0']}", "too wide"),
        ("{host: api.x, port: 443, method: [GET]}", "unknown key 'method'"),
    ],
)
def test_what_is_no_host_is_refused_with_what_to_write(tmp_path: Path, written: str, says: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load(tmp_path, written)
    assert says in str(refused.value)
    assert (refused.value.key or "").startswith("sandbox.network.allow.0")
    assert refused.value.line == 6


@pytest.mark.parametrize(
    "written",
    [
        "169.254.169.254:80",
        "'169.254.169.254.:80'",
        "2852039166:80",
        "0xa9fea9fe:80",
        "0xa9.254.0xa9.254:80",
        "0251.0376.0251.0376:80",
        "169.254.43518:80",
        '"[::ffff:169.254.169.254]:80"',
        '"[::ffff:a9fe:a9fe]:80"',
        '"[fd00:ec2::254]:80"',
        '"[FD00:EC2::254]:80"',
        "100.100.100.200:80",
        "168.63.129.16:80",
        "metadata.google.internal:80",
        "Metadata.Google.Internal.:80",
        "{host: api.x, port: 80, addresses: [169.254.169.254/32]}",
        "{host: api.x, port: 80, addresses: ['fd00:ec2::254']}",
    ],
)
def test_the_metadata_of_a_cloud_is_refused_in_every_spelling(tmp_path: Path, written: str) -> None:
    with pytest.raises(PolicyError):
        load(tmp_path, written)


@pytest.mark.parametrize(
    "entry", ["127.1:80", {"host": "*", "port": 443}, {"host": "api.x", "port": 0}, {"host": "api.x"}, 443]
)
def test_a_policy_in_code_is_held_to_the_same(entry: Any) -> None:
    with pytest.raises(ValidationError):
        Network.model_validate({"allow": [entry]})
