"""From bytes to bytes: what comes over HTTP or a WebSocket, and what every request passes."""
