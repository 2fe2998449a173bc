"""A slide's report as PDF, for the copy in a paper or a folder."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from django.utils.translation import gettext as _

from . import report_text
from .report import Report

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import BaseDocTemplate

MARGIN = 56  # points, 2 cm
# The letters that PDF's standard fonts hold; others would come out as empty boxes.
ENCODING = "cp1252"


def report_pdf(report: Report) -> bytes:
    """Return the report as the bytes of a PDF on A4."""
    # Only here: the web process need not hold the library before somebody asks for a PDF.
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    file = io.BytesIO()
    title = _("Slide report: %(code)s") % {"code": report.slide.code}
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=_known(title),
        author="HemaTally",
        subject=_known(report_text.notice()),
    )
    document.build(_story(report, title), onFirstPage=_foot, onLaterPages=_foot)
    return file.getvalue()


def _story(report: Report, title: str) -> list[Any]:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, Spacer

    styles = getSampleStyleSheet()

    def words(text: str, style: str = "BodyText") -> Any:
        return Paragraph(escape(_known(text)), styles[style])

    story: list[Any] = [
        words(title, "Heading1"),
        words(report_text.study_line(report)),
        words(report_text.slide_line(report)),
        words(report_text.fields_line(report)),
        Spacer(0, 12),
        words(_("Totals"), "Heading2"),
        _table(
            [
                [
                    _("Cell type"),
                    _("Total"),
                    _("From"),
                    _("Per field"),
                    _("Share"),
                    _("Fields needed"),
                ],
                *(
                    [
                        row.cell_type.label,
                        _pair(row.total, row.interval),
                        row.source,
                        _pair(row.per_field, row.per_field_interval),
                        _pair(row.share, row.share_interval),
                        row.needed,
                    ]
                    for row in report_text.total_rows(report)
                ),
            ],
            (80, 75, 118, 85, 75, 50),
        ),
    ]
    estimates = report_text.estimate_rows(report)
    if estimates:
        rows = [[row.cell_type.label, _pair(row.value, row.interval), row.how] for row in estimates]
        heads = [_("Cell type"), _("Per µL"), _("How")]
        story += [words(_("Estimates"), "Heading2"), _table([heads, *rows], (80, 110, 293))]
    if report.refusal:
        story += [Spacer(0, 12), words(report.refusal)]
    story += [words(warning) for warning in report.warnings]
    story += [Spacer(0, 12), words(_("How this was worked out"), "Heading2")]
    story += [words(text) for text in report_text.methods(report)]
    top = (title, report_text.study_line(report), report_text.slide_line(report))
    if any(_known(text) != text for text in top):
        story.append(
            words(
                _("Letters that this file's font lacks are shown as ?. Printing the page has them.")
            )
        )
    return story


def _table(rows: list[list[str]], widths: tuple[int, ...]) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph, Table, TableStyle

    style = ParagraphStyle("cell", fontName="Helvetica", fontSize=8.5, leading=11)
    head = ParagraphStyle("head", parent=style, fontName="Helvetica-Bold")
    cells = [
        [
            Paragraph(escape(_known(text)).replace("\n", "<br/>"), style if number else head)
            for text in row
        ]
        for number, row in enumerate(rows)
    ]
    table = Table(cells, colWidths=widths, repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, HexColor("#1c2225")),
                ("LINEBELOW", (0, 1), (-1, -1), 0.3, HexColor("#868b8f")),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table


def _pair(value: str, interval: str) -> str:
    return f"{value}\n({interval})" if interval else value


def _foot(canvas: Canvas, document: BaseDocTemplate) -> None:
    canvas.saveState()
    canvas.setFont("Helvetica", 8)
    foot = f"HemaTally · {report_text.made_on()} · {report_text.notice()}"
    canvas.drawString(MARGIN, MARGIN / 2, _known(foot))
    canvas.restoreState()


def _known(text: str) -> str:
    """Put what the standard fonts lack into letters that they have, or `?`."""
    swapped = text.replace("−", "-").replace("⁶", "^6").replace("\u202f", " ")
    return swapped.encode(ENCODING, "replace").decode(ENCODING)
