"""Reads the part of Markdown that documents are made of into plain blocks. Python's standard library alone.

A block is a tuple; its first item says what it is:
  ("heading", level, spans)   ("paragraph", spans)   ("quote", spans)   ("code", text)   ("rule",)
  ("item", depth, number or None, spans)   ("table", header, rows, aligns)   ("image", path, caption)
  ("break",)   a line with only \\pagebreak
Spans are (text, styles) pairs; styles is a set of "b" (bold), "i" (italic), "c" (code) and ("link", url).
"""
import re

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_ITEM = re.compile(r"^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$")
_RULE = re.compile(r"^\s*([-*_])(\s*\1){2,}\s*$")
_IMAGE = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+)\)\s*$")
_DIVIDER = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_INLINE = re.compile(
    r"(?P<code>`+)(?P<codetext>.+?)(?P=code)"
    r"|(?P<strong>\*\*|__)(?=\S)(?P<strongtext>.+?)(?<=\S)(?P=strong)"
    r"|(?P<em>\*|(?<!\w)_)(?=\S)(?P<emtext>.+?)(?<=\S)(?P=em)(?!\w)"
    r"|\[(?P<linktext>[^\]]+)\]\((?P<url>[^)\s]+)\)"
    r"|\\(?P<escaped>[\\`*_{}\[\]()#+\-.!|>])"
)


def spans(text, styles=frozenset()):
    """The runs of a line, each with its styles."""
    found, at = [], 0
    for match in _INLINE.finditer(text):
        if match.start() > at:
            found.append((text[at:match.start()], set(styles)))
        if match.group("code"):
            found.append((match.group("codetext"), set(styles) | {"c"}))
        elif match.group("strong"):
            found.extend(spans(match.group("strongtext"), styles | {"b"}))
        elif match.group("em"):
            found.extend(spans(match.group("emtext"), styles | {"i"}))
        elif match.group("linktext"):
            found.extend(spans(match.group("linktext"), styles | {("link", match.group("url"))}))
        else:
            found.append((match.group("escaped"), set(styles)))
        at = match.end()
    if at < len(text):
        found.append((text[at:], set(styles)))
    return found


def plain(line_spans):
    """The text of spans without their styles."""
    return "".join(text for text, _ in line_spans)


def _cells(line):
    line = line.strip()
    line = line[1:] if line.startswith("|") else line
    line = line[:-1] if line.endswith("|") and not line.endswith("\\|") else line
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)]


def _align(cell):
    cell = cell.strip()
    if cell.endswith(":"):
        return "center" if cell.startswith(":") else "right"
    return "left"


def _starts_block(line):
    return bool(
        not line.strip() or _HEADING.match(line) or _ITEM.match(line) or _RULE.match(line) or _IMAGE.match(line)
        or line.lstrip().startswith((">", "```", "~~~")) or line.strip() == "\\pagebreak"
    )


def parse(text):
    """The blocks of a Markdown text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4).split("\n")
    blocks, i = [], 0
    while i < len(lines):
        line = lines[i]
        i += 1
        if not line.strip():
            continue
        if line.strip() == "\\pagebreak":
            blocks.append(("break",))
        elif line.lstrip().startswith(("```", "~~~")):
            fence, code = line.lstrip()[:3], []
            while i < len(lines) and not lines[i].lstrip().startswith(fence):
                code.append(lines[i])
                i += 1
            i += 1
            blocks.append(("code", "\n".join(code)))
        elif _HEADING.match(line):
            marks, title = _HEADING.match(line).groups()
            blocks.append(("heading", len(marks), spans(title)))
        elif _RULE.match(line):
            blocks.append(("rule",))
        elif _IMAGE.match(line):
            caption, path = _IMAGE.match(line).groups()
            blocks.append(("image", path, caption))
        elif line.lstrip().startswith(">"):
            quoted = [line.lstrip()[1:].strip()]
            while i < len(lines) and lines[i].lstrip().startswith(">"):
                quoted.append(lines[i].lstrip()[1:].strip())
                i += 1
            blocks.append(("quote", spans(" ".join(part for part in quoted if part))))
        elif _ITEM.match(line):
            indent, mark, rest = _ITEM.match(line).groups()
            while i < len(lines) and lines[i].startswith(" ") and not _starts_block(lines[i]):
                rest += " " + lines[i].strip()
                i += 1
            number = int(mark[:-1]) if mark[0].isdigit() else None
            blocks.append(("item", min(len(indent) // 2, 8), number, spans(rest)))
        elif "|" in line and i < len(lines) and "-" in lines[i] and _DIVIDER.match(lines[i]):
            header, aligns = _cells(line), [_align(cell) for cell in _cells(lines[i])]
            i += 1
            rows = []
            while i < len(lines) and "|" in lines[i]:
                row = _cells(lines[i])
                rows.append((row + [""] * len(header))[:len(header)])
                i += 1
            aligns = (aligns + ["left"] * len(header))[:len(header)]
            blocks.append(("table", header, rows, aligns))
        else:
            while i < len(lines) and not _starts_block(lines[i]):
                line += " " + lines[i].strip()
                i += 1
            blocks.append(("paragraph", spans(line.strip())))
    return blocks
