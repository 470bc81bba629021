#!/usr/bin/env python3
"""Takes PDFs apart and puts them together:

  python3 pages.py merge OUT.pdf A.pdf B.pdf ...          one after the other; A.pdf:1-3,7 takes only those pages
  python3 pages.py split IN.pdf FOLDER                    a file for each page: page-001.pdf ...
  python3 pages.py rotate OUT.pdf IN.pdf DEGREES [PAGES]  90, 180 or 270, to the right
"""
import os
import re
import sys

from pages_of import numbers_of

try:
    from pypdf import PdfReader, PdfWriter
except ImportError:
    sys.exit("pypdf is missing. Install it (apt: python3-pypdf, pip: pypdf). For merging and splitting, pdfunite and "
             "pdfseparate (apt: poppler-utils) do as well.")


def save(writer, path):
    with open(path, "wb") as target:
        writer.write(target)
    print(f"wrote {path}: {len(writer.pages)} page(s)")


def merge(out, *sources):
    writer = PdfWriter()
    for source in sources:
        named = re.fullmatch(r"(.+\.pdf):([\d,\- ]+)", source, re.IGNORECASE)
        path, pages = named.groups() if named else (source, None)
        reader = PdfReader(path)
        for number in numbers_of(pages, len(reader.pages)):
            writer.add_page(reader.pages[number - 1])
    save(writer, out)


def split(source, folder):
    os.makedirs(folder, exist_ok=True)
    for number, page in enumerate(PdfReader(source).pages, 1):
        writer = PdfWriter()
        writer.add_page(page)
        save(writer, os.path.join(folder, f"page-{number:03}.pdf"))


def rotate(out, source, degrees, pages=None):
    if degrees not in ("90", "180", "270"):
        sys.exit("DEGREES must be 90, 180 or 270")
    reader, writer = PdfReader(source), PdfWriter()
    turned = set(numbers_of(pages, len(reader.pages)))
    for number, page in enumerate(reader.pages, 1):
        writer.add_page(page.rotate(int(degrees)) if number in turned else page)
    save(writer, out)


def main():
    verbs = {"merge": (merge, 2, None), "split": (split, 2, 2), "rotate": (rotate, 3, 4)}
    verb, few, many = verbs.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0, 0))
    given = sys.argv[2:]
    if verb is None or len(given) < few or (many is not None and len(given) > many):
        sys.exit(__doc__)
    verb(*given)


if __name__ == "__main__":
    main()
