"""The engine room: settings, messages, time, and the life of processes."""

from workers.tracing import spare

spare()
