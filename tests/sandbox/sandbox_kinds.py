"""The kinds of sandbox that tests run on, each where it is there."""

import pytest

KINDS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
]
