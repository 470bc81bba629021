#!/usr/bin/env python3
"""Prints a Word document as Markdown: python3 read.py FILE.docx [--all]

With --all also headers, footers, footnotes and comments. Needs Python's standard library alone.
"""
import argparse
import re
import sys
import zipfile
import xml.etree.ElementTree as ET

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
EXTRA = re.compile(r"word/(header|footer|footnotes|endnotes|comments)\d*\.xml")


def text_of(element):
    parts = []
    for node in element.iter():
        if node.tag == W + "t":
            parts.append(node.text or "")
        elif node.tag in (W + "tab", W + "br", W + "cr") and node.get(W + "type") != "page":
            parts.append("\t" if node.tag == W + "tab" else "\n")
    return "".join(parts)


def style_names(package):
    if "word/styles.xml" not in package.namelist():
        return {}
    root = ET.fromstring(package.read("word/styles.xml"))
    return {
        style.get(W + "styleId"): (style.find(W + "name").get(W + "val") or "").lower()
        for style in root.findall(W + "style") if style.find(W + "name") is not None
    }


def paragraph_of(element, styles):
    text = text_of(element)
    properties = element.find(W + "pPr")
    style = None if properties is None else properties.find(W + "pStyle")
    name = "" if style is None else styles.get(style.get(W + "val"), style.get(W + "val") or "").lower()
    heading = re.match(r"heading (\d)", name)
    if not text.strip():
        return ""
    if name == "title":
        return "# " + text
    if heading:
        return "#" * int(heading.group(1)) + " " + text
    listed = name.startswith("list") or (properties is not None and properties.find(W + "numPr") is not None)
    if listed:
        depth = int(name[-1]) - 1 if name[-1:].isdigit() else 0
        return "  " * depth + ("1. " if "number" in name else "- ") + text
    return text


def table_of(element):
    rows = [
        [text_of(cell).strip().replace("\n", " ").replace("|", "\\|") for cell in row.findall(W + "tc")]
        for row in element.findall(W + "tr")
    ]
    width = max((len(row) for row in rows), default=0)
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return "\n".join(lines[:1] + ["|" + " --- |" * width] + lines[1:])


def body_of(root, styles):
    for child in root:
        if child.tag == W + "p":
            yield paragraph_of(child, styles)
        elif child.tag == W + "tbl":
            yield table_of(child)
        elif child.tag in (W + "body", W + "sdt", W + "sdtContent", W + "footnote", W + "endnote", W + "comment"):
            yield from body_of(child, styles)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--all", action="store_true", help="also headers, footers, footnotes and comments")
    arguments = parser.parse_args()
    try:
        package = zipfile.ZipFile(arguments.file)
        main_part = package.read("word/document.xml")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(f"{arguments.file} is no Word document (.docx): {error}. An old .doc must be converted first.")
    styles = style_names(package)
    print("\n\n".join(part for part in body_of(ET.fromstring(main_part), styles) if part))
    if arguments.all:
        for name in sorted(package.namelist()):
            if EXTRA.fullmatch(name):
                text = "\n".join(part for part in body_of(ET.fromstring(package.read(name)), styles) if part)
                if text:
                    print(f"\n--- {name}\n{text}")


if __name__ == "__main__":
    main()
