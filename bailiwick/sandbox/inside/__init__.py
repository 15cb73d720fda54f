"""What runs inside a container: standard library only, and nothing of ours but ``definition/describe.py``.

On the host these files are only copied, never run; ``image/runner.py`` says where each is laid.
"""
