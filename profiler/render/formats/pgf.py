"""How is a chart written in PGF, which LaTeX draws with the document's own type?"""

from profiler.render.charts import files

SUFFIXES = (".pgf",)

answer, check = files.writer("pgf"), files.check
