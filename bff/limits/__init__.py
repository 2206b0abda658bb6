"""What an operation may cost, and who may run it."""
