"""The engine room: settings, messages, time, and the life of processes."""

import logging

from workers.tracing import spare

spare()
# `dramatiq workers.actors` has set its own logs up by now, and alembic tells of each of its parts as it is loaded.
logging.getLogger("alembic").setLevel(logging.WARNING)
