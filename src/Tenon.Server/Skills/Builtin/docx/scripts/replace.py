#!/usr/bin/env python3
"""Fills in a Word document: python3 replace.py IN.docx OUT.docx --set NAME=VALUE ... [--find OLD --with NEW]

--set NAME=VALUE replaces {{NAME}}; --find OLD --with NEW replaces any text. In paragraphs, tables, headers and footers.
The text keeps the look of its first letter, also where Word has cut it into pieces.
"""
import argparse
import sys

try:
    import docx
except ImportError:
    sys.exit("python-docx is missing. Install it (apt: python3-docx, pip: python-docx), or tell the user that this "
             "environment cannot change Word documents.")


def replace_in(paragraph, changes):
    count = 0
    for old, new in changes:
        at = 0
        while True:
            runs = paragraph.runs
            at = "".join(run.text for run in runs).find(old, at)
            if at < 0:
                break
            put(runs, at, len(old), new)
            at += len(new)
            count += 1
    return count


def put(runs, start, length, new):
    position = 0
    for run in runs:
        text = run.text
        begin, end = position, position + len(text)
        position = end
        if end <= start or begin >= start + length:
            continue
        left = text[:max(0, start - begin)]
        right = text[min(len(text), start + length - begin):]
        run.text = left + new + right
        new = ""


def paragraphs_of(container):
    yield from container.paragraphs
    for table in container.tables:
        for row in table.rows:
            for cell in row.cells:
                yield from paragraphs_of(cell)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--find", action="append", default=[])
    parser.add_argument("--with", action="append", default=[], dest="by")
    arguments = parser.parse_args()
    if len(arguments.find) != len(arguments.by) or not all("=" in change for change in arguments.set):
        parser.error("each --find needs a --with, and each --set is NAME=VALUE")
    changes = [("{{" + name + "}}", value) for name, value in (change.split("=", 1) for change in arguments.set)]
    changes += [change for change in zip(arguments.find, arguments.by) if change[0]]

    document = docx.Document(arguments.input)
    places = [document]
    for section in document.sections:
        margins = (section.header, section.footer, section.first_page_header, section.first_page_footer)
        # To look into one that is not there would make it.
        places += [margin for margin in margins if not margin.is_linked_to_previous]
    seen, count = set(), 0
    for place in places:
        for paragraph in paragraphs_of(place):
            # A merged cell is met once for each of its columns.
            if paragraph._p not in seen:
                seen.add(paragraph._p)
                count += replace_in(paragraph, changes)
    document.save(arguments.output)
    print(f"wrote {arguments.output}: {count} replacement(s)")
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
