"""The front door: GraphQL over HTTP, and the command line."""
