#!/usr/bin/env python3
"""Prints a PowerPoint presentation as Markdown: python3 read.py FILE.pptx

Each slide with its title, text, tables, names of pictures, and the speaker's notes (> lines). Needs Python's standard
library alone.
"""
import argparse
import posixpath
import sys
import zipfile
import xml.etree.ElementTree as ET

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"


def relations_of(package, part):
    name = posixpath.join(posixpath.dirname(part), "_rels", posixpath.basename(part) + ".rels")
    if name not in package.namelist():
        return {}
    return {
        one.get("Id"): (one.get("Type"), posixpath.normpath(posixpath.join(posixpath.dirname(part), one.get("Target"))))
        for one in ET.fromstring(package.read(name)).findall(PACKAGE + "Relationship")
        if one.get("TargetMode") != "External"
    }


def lines_of(body):
    for paragraph in body.iter(A + "p"):
        text = "".join((node.text or "") if node.tag == A + "t" else "\n" for node in paragraph.iter()
                       if node.tag in (A + "t", A + "br")).strip()
        properties = paragraph.find(A + "pPr")
        if text:
            yield int(properties.get("lvl", "0")) if properties is not None else 0, text


def shapes_of(tree):
    for shape in tree:
        if shape.tag == P + "grpSp":
            yield from shapes_of(shape)
        elif shape.tag in (P + "sp", P + "pic", P + "graphicFrame"):
            yield shape


def print_slide(root):
    for shape in shapes_of(root.find(f"{P}cSld/{P}spTree")):
        kind = shape.find(f".//{P}ph")
        kind = None if kind is None else kind.get("type", "body")
        if shape.tag == P + "pic":
            properties = shape.find(f".//{P}cNvPr")
            print(f"[picture: {properties.get('descr') or properties.get('name')}]")
        for table in shape.iter(A + "tbl"):
            for i, row in enumerate(table.findall(A + "tr")):
                cells = [" ".join(text for _, text in lines_of(cell)).replace("|", "\\|") for cell in row.findall(A + "tc")]
                print("| " + " | ".join(cells) + " |")
                if i == 0:
                    print("|" + " --- |" * len(cells))
        if shape.tag == P + "sp" and kind not in ("title", "ctrTitle", "sldNum", "dt", "ftr"):
            for level, text in lines_of(shape):
                print("  " * level + "- " + text)


def title_of(root):
    for shape in shapes_of(root.find(f"{P}cSld/{P}spTree")):
        kind = shape.find(f".//{P}ph")
        if kind is not None and kind.get("type") in ("title", "ctrTitle"):
            return " ".join(text for _, text in lines_of(shape))
    return "(no title)"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    path = parser.parse_args().file
    try:
        package = zipfile.ZipFile(path)
        presentation = ET.fromstring(package.read("ppt/presentation.xml"))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(f"{path} is no PowerPoint presentation (.pptx): {error}. An old .ppt must be converted first.")
    relations = relations_of(package, "ppt/presentation.xml")
    for number, slide in enumerate(presentation.iter(P + "sldId"), 1):
        part = relations[slide.get(R + "id")][1]
        root = ET.fromstring(package.read(part))
        print(f"\n## {number}. {title_of(root)}")
        print_slide(root)
        for kind, target in relations_of(package, part).values():
            if kind.endswith("/notesSlide"):
                for shape in shapes_of(ET.fromstring(package.read(target)).find(f"{P}cSld/{P}spTree")):
                    place = shape.find(f".//{P}ph")
                    if place is not None and place.get("type") == "body":
                        for _, text in lines_of(shape):
                            print("> " + text)


if __name__ == "__main__":
    main()
