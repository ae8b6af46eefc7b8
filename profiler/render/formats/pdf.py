"""How is a chart written in PDF, as pdfLaTeX includes it?"""

from profiler.render.charts import files

SUFFIXES = (".pdf",)

answer, check = files.writer("pdf"), files.check
