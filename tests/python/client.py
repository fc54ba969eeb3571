"""A game client as one writes it for Firefly, with nothing but the standard library.

Usage: client.py HOST PORT. Sends the commands 100, 200 and 300 with the payload `msgdata`, each answer awaited,
and prints the study's transcript.
"""

import socket
import struct
import sys

HEADER = struct.Struct("!sssss3I")


def produce(command, data):
    """The 17 bytes of the header and the payload."""
    return HEADER.pack(b"\0", b"\0", b"\0", b"\0", b"\0", 0, len(data) + 4, command) + data


def receive(sock, count):
    """Exactly so many bytes."""
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError("the server closed the connection")
        data += more
    return data


def resolve(sock):
    """One frame: command and payload."""
    *head, _version, length, command = HEADER.unpack(receive(sock, HEADER.size))
    if head != [b"\0"] * 5:
        raise ValueError("wrong header: %r" % (head,))
    return command, receive(sock, length - 4)


def main():
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as sock:
        for command in (100, 200, 300):
            print("----------------")
            print("send commandId: %d" % command)
            sock.sendall(produce(command, b"msgdata"))
            answered, payload = resolve(sock)
            if answered != command:
                raise ValueError("an answer to %d, not to %d" % (answered, command))
            print(payload.decode())


main()
