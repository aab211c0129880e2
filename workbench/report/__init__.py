"""A report's facts as a document, and a document as HTML, Markdown or CSV: data in, text out."""

from workbench.report.as_csv import csv_files
from workbench.report.as_html import html_page
from workbench.report.as_markdown import markdown_page
from workbench.report.content import document
from workbench.report.document import MARK_LINE

__all__ = ["MARK_LINE", "csv_files", "document", "html_page", "markdown_page"]
