"""Recorded conversations, played again: what policies say of them, and the least that lets them through."""
