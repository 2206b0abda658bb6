"""The GraphQL edge beside what else one would take: the same operations, upstreams and rows, in one run."""
