"""Messages for the tests."""

# Text that a relay must not take for the protocol.
LINE = b"the quick brown fox jumps over the lazy dog {5}) * 1 EXPUNGE a1 OK done\r\n"


def message(number, size=0, sender="sender@example.org"):
    """An RFC 5322 message with CRLF line ends, made larger with text lines to at least `size`."""
    head = (f"From: {sender}\r\nTo: reader@example.org\r\nSubject: message {number}\r\n"
            f"Date: Mon, 03 Mar 2025 10:{number % 60:02d}:00 +0000\r\n"
            f"Message-ID: <{number}@example.org>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
            f"This is message {number}.\r\n").encode()
    return head + LINE * (max(0, size - len(head) + len(LINE) - 1) // len(LINE))
