#!/usr/bin/env python3
"""Checks an Office file (docx, xlsx, pptx) as a package: python3 check_package.py FILE [--placeholders]

Says what an office program would complain of: parts that are no XML, relationships that lead nowhere, parts without a
content type. With --placeholders it also finds {{NAME}} that nobody filled in. Ends with 0 when all is well.
Needs Python's standard library alone.
"""
import argparse
import posixpath
import re
import sys
import zipfile
import xml.etree.ElementTree as ET

RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
TYPES = "{http://schemas.openxmlformats.org/package/2006/content-types}"
PART_BYTES_MAX = 256 * 1024 * 1024


def problems_of(path):
    found = []
    try:
        package = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        return [f"it is no Office file: {error}"], []
    with package:
        names = package.namelist()
        if len(names) != len(set(names)):
            found.append("a part is there twice")
        texts = {}
        for info in package.infolist():
            if info.file_size > PART_BYTES_MAX:
                found.append(f"{info.filename} is larger than {PART_BYTES_MAX} bytes")
                continue
            data = package.read(info)
            if info.filename.endswith((".xml", ".rels")):
                try:
                    texts[info.filename] = ET.fromstring(data)
                except ET.ParseError as error:
                    found.append(f"{info.filename} is not well-formed: {error}")
        found.extend(type_problems(names, texts))
        for name, root in texts.items():
            if name.endswith(".rels"):
                found.extend(target_problems(name, root, set(names)))
        return found, placeholders(texts)


def type_problems(names, texts):
    types = texts.get("[Content_Types].xml")
    if types is None:
        return ["[Content_Types].xml is missing"]
    defaults = {part.get("Extension", "").lower() for part in types.findall(TYPES + "Default")}
    overrides = {part.get("PartName") for part in types.findall(TYPES + "Override")}
    missing = [
        name for name in names
        if name != "[Content_Types].xml" and not name.endswith("/")
        and "/" + name not in overrides and name.rpartition(".")[2].lower() not in defaults
    ]
    gone = sorted(part for part in overrides if part.lstrip("/") not in names)
    return [f"{name} has no content type" for name in missing] + [
        f"{part} has a type and is not there" for part in gone]


def target_problems(name, root, names):
    folder = posixpath.dirname(posixpath.dirname(name))
    found, ids = [], set()
    for relationship in root.findall(RELATIONSHIP):
        if relationship.get("Id") in ids:
            found.append(f"{name}: {relationship.get('Id')} is there twice")
        ids.add(relationship.get("Id"))
        if relationship.get("TargetMode") == "External":
            continue
        target = relationship.get("Target", "")
        full = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        if full.split("#")[0] not in names:
            found.append(f"{name}: {relationship.get('Id')} leads to {target}, which is not there")
    return found


def placeholders(texts):
    found = set()
    for name, root in texts.items():
        if name.startswith(("word/", "ppt/slides/", "xl/")):
            found.update(re.findall(r"\{\{[^{}]{1,80}\}\}", "".join(root.itertext())))
    return sorted(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--placeholders", action="store_true", help="also find {{NAME}} that is not filled in")
    arguments = parser.parse_args()
    found, unfilled = problems_of(arguments.file)
    if arguments.placeholders:
        found += [f"{name} is not filled in" for name in unfilled]
    for problem in found:
        print(problem)
    if not found:
        print("no problems found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
