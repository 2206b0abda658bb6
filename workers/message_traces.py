"""The part of traces that messages make: who sent a message, and its run as a trace of its own."""

import threading
from contextlib import AbstractContextManager
from typing import Any

import dramatiq

from domain import tracing
from domain.tracing import TRACEPARENT, Kind, Span
from workers.bundles import parts_of


class MessageTraces(dramatiq.Middleware):
    """Makes each run of a message a trace of its own, linked to the step that sent the message.

    A link and no part of the same trace: twenty minutes lie between the two, and tracing back-ends take a trace for
    over long before. A message that says nothing of its sender, as an older one, is a trace without a link.
    """

    def __init__(self) -> None:
        # dramatiq calls before and after a run on the thread that runs it.
        self._running = threading.local()

    def before_enqueue(self, broker: dramatiq.Broker, message: dramatiq.Message[Any], delay: int | None) -> None:  # noqa: ARG002 -- dramatiq's signature
        """Notes down who sends it. One that is sent again, as for a retry, keeps its first sender."""
        if sender := tracing.traceparent():
            message.options.setdefault(TRACEPARENT, sender)

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        """Begins the span."""
        if not tracing.is_on():
            return
        span: AbstractContextManager[Span] = tracing.span(
            f"process {message.actor_name}",
            Kind.CONSUMER,
            {
                "messaging.system": "dramatiq",
                "messaging.operation.type": "process",
                "messaging.destination.name": message.queue_name,
                "messaging.message.id": message.message_id,
                "homestay.message.retries": int(message.options.get("retries", 0)),
            },
            parent={},
            links=[link for part in parts_of(message) for link in tracing.kept(part.options.get(TRACEPARENT))],
        )
        span.__enter__()
        self._running.span = span

    def after_process_message(
        self,
        broker: dramatiq.Broker,  # noqa: ARG002
        message: dramatiq.MessageProxy,  # noqa: ARG002
        *,
        result: Any | None = None,  # noqa: ANN401, ARG002
        exception: BaseException | None = None,
    ) -> None:
        """Ends the span. A message that came too early, and will come again, has not failed."""
        self._end(None if isinstance(exception, dramatiq.Retry) else exception)

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        """Ends the span of a message that was not run."""
        self._end(None)

    def _end(self, error: BaseException | None) -> None:
        span: AbstractContextManager[Span] | None = self._running.__dict__.pop("span", None)
        if span is not None:
            span.__exit__(None if error is None else type(error), error, None)
