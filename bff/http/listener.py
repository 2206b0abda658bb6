"""The socket that an address is served on."""

import socket
from typing import Final

# Seconds that a client may leave unread what was sent to it, with all buffers full, before it is cut off.
SLOWEST: Final = 15.0


def listen(host: str, port: int) -> socket.socket:
    """Binds an address; whoever serves it begins to listen.

    Raises:
        OSError: the address is taken.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it. Nothing above the kernel can end one whose client does not read: to close it
            # politely is to wait until it has read all.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(SLOWEST * 1000))
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"can't listen on {host}:{port}: {error.strerror}") from error
    return listener
