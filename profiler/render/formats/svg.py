"""How is a chart written in SVG, as pages of the web show it?"""

from profiler.render.charts import files

SUFFIXES = (".svg",)

answer, check = files.writer("svg"), files.check
