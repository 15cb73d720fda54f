"""The way out of a container: by name, through a proxy on the host that holds to the policy."""

from bailiwick.sandbox.egress.bounds import Bounds
from bailiwick.sandbox.egress.endpoint import Endpoint, endpoints_of
from bailiwick.sandbox.egress.event import EgressEvent
from bailiwick.sandbox.egress.forwards import forwards, hosts_text
from bailiwick.sandbox.egress.proxy import Door, EgressProxy

__all__ = ["Bounds", "Door", "EgressEvent", "EgressProxy", "Endpoint", "endpoints_of", "forwards", "hosts_text"]
