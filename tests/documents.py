"""Makes the small files that tests have read: EPUB, PDF, Word, pictures."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np
from docx import Document
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""

PAGE = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>x</title></head>
<body>{}</body></html>"""

NAV = PAGE.format('<nav epub:type="toc"><ol>{}</ol></nav>')


def zipped(path: Path, members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def epub(path: Path, pages: Mapping[str, str], contents: Mapping[str, str], more: Mapping[str, str | bytes]) -> Path:
    """An EPUB 3 with these bodies by name, this table of contents (title by link), and more members."""
    items = "".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in pages)
    spine = "".join(f'<itemref idref="{name}"/>' for name in pages)
    package = f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
    <metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Small  Book</dc:title>
    <dc:creator>Ann Author</dc:creator><dc:creator>Bo Writer</dc:creator><dc:language>en-GB</dc:language></metadata>
    <manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
    <item id="front" href="front.png" media-type="image/png" properties="cover-image"/>{items}</manifest>
    <spine><itemref idref="nav"/>{spine}</spine></package>"""
    entries = "".join(f'<li><a href="{link}">{title}</a></li>' for title, link in contents.items())
    members: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": package,
        "OPS/nav.xhtml": NAV.format(entries),
        **{f"OPS/{name}": PAGE.format(body) for name, body in pages.items()},
    }
    return zipped(path, {**members, **more})


def pdf(path: Path, pages: Sequence[Sequence[str]], outline: Mapping[str, int], password: str = "") -> Path:
    """A PDF with these lines on its pages, and an outline (page number by title)."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        stream = DecodedStreamObject()
        shown = " ".join(f"({line}) Tj T*" for line in lines)
        stream.set_data(f"BT /F1 12 Tf 14 TL 50 800 Td {shown} ET".encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(stream)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    for title, number in outline.items():
        writer.add_outline_item(title=title, page_number=number)
    writer.add_metadata({"/Title": "The Printed Book", "/Author": "Pat Printer"})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(path)
    return path


def docx(path: Path) -> Path:
    document = Document()
    document.core_properties.title = "The Typed Book"
    document.core_properties.author = "Ty Pist"
    document.add_heading("One", 1)
    document.add_paragraph("First words.")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    document.add_heading("Two", 1)
    document.add_paragraph("Last words.")
    document.save(str(path))
    return path


def png(width: int = 40, height: int = 60) -> bytes:
    """A grey picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("png", 1)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 128, np.uint8), "rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()
