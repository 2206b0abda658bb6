"""Executing operations: selections compiled once, and whatever is unusual left to graphql-core."""
