"""How is a chart written in PNG, as slides and notebooks show it?"""

from profiler.render.charts import files

SUFFIXES = (".png",)

answer, check = files.writer("png"), files.check
