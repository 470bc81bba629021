#!/usr/bin/env python3
"""Makes a PowerPoint presentation of Markdown: python3 create.py OUTLINE.md OUTPUT.pptx [options]

  # Title                  the title slide; the paragraph below it is the subtitle
  ## A slide               a slide with this title; what follows stands on it
  text, - lists, tables, ![caption](picture.png), ``` code
  > words                  the speaker's notes of the slide

A slide with text and a picture or table has them side by side. Needs Python's standard library alone.
"""
import argparse
import os
import struct
import sys
import zipfile
from xml.sax.saxutils import escape, quoteattr

import markdown_blocks as md
import package_parts as parts

EMU_PER_PIXEL = 9525
MARGIN = 685800
TITLE_TOP, TITLE_HEIGHT = 420000, 900000
BODY_TOP = TITLE_TOP + TITLE_HEIGHT + 120000
CHARACTERS_MAX = 700
SIZES = [(7, 2400), (11, 2000), (16, 1600), (99, 1400)]


class Slide:
    def __init__(self, title, is_cover=False):
        self.title, self.is_cover = title, is_cover
        self.lines, self.tables, self.pictures, self.notes = [], [], [], []


def slides_of(blocks):
    slides = []
    for block in blocks:
        kind = block[0]
        if kind == "heading" and block[1] <= 2:
            slides.append(Slide(block[2], is_cover=block[1] == 1))
            continue
        if not slides:
            slides.append(Slide([("", set())]))
        slide = slides[-1]
        if kind == "heading":
            slide.lines.append((0, "none", [(text, styles | {"b"}) for text, styles in block[2]]))
        elif kind == "paragraph":
            slide.lines.append((0, "none", block[1]))
        elif kind == "item":
            slide.lines.append((block[1], "bullet" if block[2] is None else "number", block[3]))
        elif kind == "code":
            slide.lines += [(0, "none", [(line, {"c"})]) for line in block[1].split("\n")]
        elif kind == "quote":
            slide.notes.append(md.plain(block[1]))
        elif kind == "table":
            slide.tables.append(block[1:])
        elif kind == "image":
            slide.pictures.append(block[1:])
    return slides


def picture_size(path):
    """Width and height of a PNG, JPEG or GIF, in pixels."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return struct.unpack(">II", data[16:24])
    if data[:3] == b"GIF":
        return struct.unpack("<HH", data[6:10])
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 < len(data):
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2:at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5:at + 9])
            return width, height
        at += 2 + length
    sys.exit(f"{path} is no PNG, JPEG or GIF")


def run(text, styles, size, relate):
    link = next((style[1] for style in styles if isinstance(style, tuple)), None)
    attributes = f' sz="{size}"' if size else ""
    attributes += ' b="1"' if "b" in styles else ""
    attributes += ' i="1"' if "i" in styles else ""
    font = '<a:latin typeface="Consolas"/>' if "c" in styles else ""
    click = f'<a:hlinkClick r:id="{relate(parts.HYPERLINK, link, True)}"/>' if link else ""
    return f'<a:r><a:rPr lang="en-US"{attributes} dirty="0">{font}{click}</a:rPr><a:t>{escape(text)}</a:t></a:r>'


def paragraph(depth, mark, spans, size, relate):
    indent = 285750
    left = indent * (depth + (0 if mark == "none" else 1))
    bullet = {
        "none": "<a:buNone/>", "bullet": '<a:buFont typeface="Arial"/><a:buChar char="&#8226;"/>',
        "number": '<a:buFont typeface="+mj-lt"/><a:buAutoNum type="arabicPeriod"/>',
    }[mark]
    properties = (f'<a:pPr marL="{left}" indent="{0 if mark == "none" else -indent}" lvl="{min(depth, 8)}">'
                  f"<a:spcBef><a:spcPts val=\"600\"/></a:spcBef>{bullet}</a:pPr>")
    return f"<a:p>{properties}{''.join(run(text, styles, size, relate) for text, styles in spans)}</a:p>"


def box(x, y, width, height):
    return f'<a:xfrm><a:off x="{x}" y="{y}"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'


def placeholder(number, name, kind, content, place=""):
    return (f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{name}"/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr>'
            f"<p:nvPr><p:ph {kind}/></p:nvPr></p:nvSpPr><p:spPr>{place}</p:spPr>"
            f'<p:txBody><a:bodyPr><a:normAutofit/></a:bodyPr><a:lstStyle/>{content}</p:txBody></p:sp>')


def picture(number, relation, caption, place):
    return (f'<p:pic><p:nvPicPr><p:cNvPr id="{number}" name="Picture {number}" descr={quoteattr(caption)}/>'
            '<p:cNvPicPr><a:picLocks noChangeAspect="1"/></p:cNvPicPr><p:nvPr/></p:nvPicPr>'
            f'<p:blipFill><a:blip r:embed="{relation}"/><a:stretch><a:fillRect/></a:stretch></p:blipFill>'
            f'<p:spPr>{place}<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr></p:pic>')


def table(number, header, rows, aligns, x, y, width):
    size = 1600 if len(rows) <= 8 else 1200
    height = int(size * 12700 / 100 * 1.9)
    column = width // len(header)
    anchors = {"left": "l", "center": "ctr", "right": "r"}

    def cell(text, align, is_head):
        # A table has no links here: each would be a relationship of the slide.
        content = "".join(
            run(part, {style for style in styles if isinstance(style, str)} | ({"b"} if is_head else set()), size, None)
            for part, styles in md.spans(text))
        return (f'<a:tc><a:txBody><a:bodyPr/><a:lstStyle/><a:p><a:pPr algn="{anchors[align]}"/>{content}</a:p></a:txBody>'
                "<a:tcPr/></a:tc>")

    lines = "".join(
        f'<a:tr h="{height}">' + "".join(cell(text, aligns[at], i == 0) for at, text in enumerate(row)) + "</a:tr>"
        for i, row in enumerate([header] + rows))
    grid = "".join(f'<a:gridCol w="{column}"/>' for _ in header)
    place = box(x, y, width, height * (1 + len(rows))).replace("a:xfrm", "p:xfrm")
    return (f'<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="{number}" name="Table {number}"/>'
            '<p:cNvGraphicFramePr><a:graphicFrameLocks noGrp="1"/></p:cNvGraphicFramePr><p:nvPr/></p:nvGraphicFramePr>'
            f'{place}<a:graphic><a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/table"><a:tbl>'
            f'<a:tblPr firstRow="1" bandRow="1"><a:tableStyleId>{parts.TABLE_STYLE}</a:tableStyleId></a:tblPr>'
            f"<a:tblGrid>{grid}</a:tblGrid>{lines}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>")


def slide_xml(slide, deck, relate, folder):
    title = f"<a:p>{''.join(run(text, styles, None, relate) for text, styles in slide.title)}</a:p>"
    shapes, number = [], 3
    if slide.is_cover:
        shapes.append(placeholder(2, "Title", 'type="ctrTitle"', title))
        lines = [paragraph(0, "none", spans, None, relate) for _, _, spans in slide.lines] or ["<a:p/>"]
        shapes.append(placeholder(number, "Subtitle", 'type="subTitle" idx="1"', "".join(lines)))
        return shapes, number
    shapes.append(placeholder(2, "Title", 'type="title"', title))
    beside = slide.pictures or slide.tables
    width = deck.width - 2 * MARGIN
    x, text_width = MARGIN, width
    if slide.lines and beside:
        text_width = int(width * 0.46)
        x, width = MARGIN + int(width * 0.5), int(width * 0.5)
    height = deck.height - BODY_TOP - MARGIN // 2
    if slide.lines:
        count = len(slide.lines) + sum(len(md.plain(spans)) // (45 if beside else 90) for _, _, spans in slide.lines)
        size = next(size for most, size in SIZES if count <= most or most == SIZES[-1][0])
        content = "".join(paragraph(*line, size, relate) for line in slide.lines)
        shapes.append(placeholder(number, "Content", 'idx="1"', content, box(MARGIN, BODY_TOP, text_width, height)))
    share = height // max(1, len(slide.pictures) + len(slide.tables))
    for i, (path, caption) in enumerate(slide.pictures):
        number += 1
        full = os.path.join(folder, path)
        if not os.path.isfile(full):
            sys.exit(f"the picture {path} was not found; paths are relative to the Markdown file")
        wide, high = (side * EMU_PER_PIXEL for side in picture_size(full))
        scale = min(width / wide, (share - 100000) / high)
        place = box(x + int(width - wide * scale) // 2, BODY_TOP + i * share, int(wide * scale), int(high * scale))
        shapes.append(picture(number, relate(parts.IMAGE, deck.media(full), False), caption, place))
    for i, (header, rows, aligns) in enumerate(slide.tables):
        number += 1
        shapes.append(table(number, header, rows, aligns, x, BODY_TOP + (len(slide.pictures) + i) * share, width))
    return shapes, number


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", help="a Markdown file, UTF-8")
    parser.add_argument("output", help="the .pptx to write")
    parser.add_argument("--author", default="")
    parser.add_argument("--dark", action="store_true", help="light letters on a dark ground")
    parser.add_argument("--accent", default="2F5597", help="the colour of titles and tables, as RRGGBB")
    parser.add_argument("--font", default="Calibri")
    parser.add_argument("--ratio", choices=["16:9", "4:3"], default="16:9")
    arguments = parser.parse_args()
    if len(arguments.accent) != 6 or any(c not in "0123456789abcdefABCDEF" for c in arguments.accent):
        parser.error("--accent must be six hexadecimal digits, such as 2F5597")
    with open(arguments.input, encoding="utf-8-sig") as source:
        slides = slides_of(md.parse(source.read()))
    if not slides:
        sys.exit("there is no slide: begin one with a line ## Title")
    folder = os.path.dirname(os.path.abspath(arguments.input))
    deck = parts.Deck(arguments, md.plain(slides[0].title))
    for slide in slides:
        relations = deck.new_slide(is_cover=slide.is_cover)
        shapes, _ = slide_xml(slide, deck, relations.add, folder)
        deck.finish_slide(relations, "".join(shapes), slide.notes)
        if sum(len(md.plain(spans)) for _, _, spans in slide.lines) > CHARACTERS_MAX:
            print(f"note: the slide {md.plain(slide.title)!r} has much text; split it", file=sys.stderr)
    with zipfile.ZipFile(arguments.output, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in deck.parts():
            package.writestr(name, content)
    print(f"wrote {arguments.output}: {len(slides)} slide(s)")


if __name__ == "__main__":
    main()
