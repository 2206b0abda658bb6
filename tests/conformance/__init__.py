"""Clients and tools that nobody here wrote, run against the product as it is started by `homestay run`.

Each tool is a program of its own in this folder, most of them in node/, and tells a line of JSON for each of its
checks: `{"check": …, "passed": …, "detail": …}`. `python -m tests.conformance` runs them and shows one table.
"""
