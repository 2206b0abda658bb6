"""Crashes under traffic, and a judge who reads the tables afterwards.

Clients write down what they were told (`ledger`), programs and servers are broken off by choices from a printed seed
(`faults`), and after each round, once all is quiet, the tables must keep every promise (`invariants`). The short form
is part of `make test`; the long one is `make chaos`.
"""
