from bailiwick.sandbox.egress.proxy import Door, EgressEvent, EgressProxy

__all__ = ["Door", "EgressEvent", "EgressProxy"]
