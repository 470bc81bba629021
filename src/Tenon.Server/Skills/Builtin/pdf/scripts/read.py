#!/usr/bin/env python3
"""Prints the text of a PDF: python3 read.py FILE.pdf [--pages 1-3,7] [--info] [--password P]

Each page begins with a line --- page N. With --info it prints what the file says of itself in place of the text. A page
without text is probably a scan: the read tool shows it as a picture.
"""
import argparse
import shutil
import subprocess
import sys

from pages_of import numbers_of

try:
    from pypdf import PdfReader
except ImportError:
    PdfReader = None


def open_pdf(path, password):
    if PdfReader is None:
        sys.exit("pypdf is missing. Install it (apt: python3-pypdf, pip: pypdf), or read the file with the read tool.")
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(password or ""):
            sys.exit("the PDF is encrypted: ask the user for its password, and give it with --password")
        len(reader.pages)
        return reader
    except SystemExit:
        raise
    except Exception as error:  # It says in many ways that a file is broken.
        sys.exit(f"{path} cannot be read as a PDF: {error}")


def page_text(path, reader, number, password):
    if shutil.which("pdftotext"):
        command = ["pdftotext", "-layout", "-enc", "UTF-8", "-f", str(number), "-l", str(number)]
        done = subprocess.run(
            command + (["-upw", password] if password else []) + [path, "-"], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.rstrip("\f\n")
    return reader.pages[number - 1].extract_text()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--pages", help="such as 1-3,7 or 5- (all)")
    parser.add_argument("--info", action="store_true")
    parser.add_argument("--password")
    arguments = parser.parse_args()
    reader = open_pdf(arguments.file, arguments.password)
    if arguments.info:
        print(f"pages: {len(reader.pages)}")
        box = reader.pages[0].mediabox
        print(f"first page: {float(box.width):.0f} x {float(box.height):.0f} points")
        for name, value in (reader.metadata or {}).items():
            print(f"{name.lstrip('/')}: {value}")
        print(f"form fields: {len(reader.get_fields() or {})}")
        return
    empty = []
    for number in numbers_of(arguments.pages, len(reader.pages)):
        text = page_text(arguments.file, reader, number, arguments.password)
        print(f"--- page {number}\n{text}")
        if not text.strip():
            empty.append(number)
    if empty:
        print(f"note: no text on page(s) {', '.join(map(str, empty))}; look at them with the read tool", file=sys.stderr)


if __name__ == "__main__":
    main()
