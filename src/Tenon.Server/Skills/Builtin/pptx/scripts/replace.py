#!/usr/bin/env python3
"""Fills in a presentation: python3 replace.py IN.pptx OUT.pptx --set NAME=VALUE ... [--find OLD --with NEW]

--set NAME=VALUE replaces {{NAME}}; --find OLD --with NEW replaces any text. On slides, in tables and in notes. The text
keeps the look of its first letter. All else in the file stays byte for byte. Needs Python's standard library alone.
"""
import argparse
import io
import re
import sys
import zipfile
import xml.etree.ElementTree as ET

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
PART = re.compile(r"ppt/(slides|notesSlides)/[^/]+\.xml")


def replace_in(paragraph, changes):
    count = 0
    for old, new in changes:
        at = 0
        while True:
            texts = list(paragraph.iter(A + "t"))
            at = "".join(node.text or "" for node in texts).find(old, at)
            if at < 0:
                break
            put(texts, at, len(old), new)
            at += len(new)
            count += 1
    return count


def put(texts, start, length, new):
    position = 0
    for node in texts:
        text = node.text or ""
        begin, end = position, position + len(text)
        position = end
        if end <= start or begin >= start + length:
            continue
        node.text = text[:max(0, start - begin)] + new + text[min(len(text), start + length - begin):]
        new = ""


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

    count, made = 0, io.BytesIO()
    with zipfile.ZipFile(arguments.input) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            data = source.read(info)
            if PART.fullmatch(info.filename):
                for prefix, address in re.findall(rb'xmlns:(\w+)="([^"]+)"', data):
                    ET.register_namespace(prefix.decode(), address.decode())
                root = ET.fromstring(data)
                found = sum(replace_in(paragraph, changes) for paragraph in root.iter(A + "p"))
                if found:
                    count += found
                    data = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
            target.writestr(info, data)
    with open(arguments.output, "wb") as file:
        file.write(made.getvalue())
    print(f"wrote {arguments.output}: {count} replacement(s)")
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
