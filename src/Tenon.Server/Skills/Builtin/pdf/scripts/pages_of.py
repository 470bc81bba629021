"""Which pages a text such as 1-3,7 or 5- names, counted from 1. Used by the other scripts."""
import sys


def numbers_of(text, count):
    if not text:
        return list(range(1, count + 1))
    numbers = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            begin = int(first) if first else 1
            end = (int(last) if last else count) if dash else begin
        except ValueError:
            sys.exit(f"{part!r} names no pages; write 1-3,7 or 5-")
        if not 1 <= begin <= end <= count:
            sys.exit(f"{part!r} is not within the {count} pages")
        numbers.extend(range(begin, end + 1))
    return numbers
