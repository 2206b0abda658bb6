"""The socket that an address is served on."""

import socket
from typing import Final

# Seconds that a client may leave unread what was sent to it, with all buffers full, before it is cut off.
SLOWEST: Final = 15.0


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Binds an address; whoever serves it begins to listen.

    Args:
        host: address to listen on.
        port: port to listen on; 0 for any that is free.
        shared: whether other processes of ours listen there too, and the kernel deals out connections among them.

    Raises:
        OSError: the address is taken.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it. Nothing above the kernel can end one whose client does not read: to close it
            # politely is to wait until it has read all.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(SLOWEST * 1000))
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"can't listen on {host}:{port}: {error.strerror}") from error
    return listener


def reserve(host: str, port: int) -> socket.socket:
    """Keeps an address for processes that share it. Nothing comes to a socket that does not listen.

    Raises:
        OSError: the address is taken, also where that is by others who would share it: two installations on one port,
            each with half of the guests, are nobody's wish.
    """
    with listen(host, port) as alone:
        found = int(alone.getsockname()[1])
    return listen(host, found, shared=True)
