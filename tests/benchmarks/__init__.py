"""What the project claims about itself, measured. Nothing is stored: each command prints what it finds here and now.

python -m tests.benchmarks.registry torchvision    every model and weight entry against torchvision's own figures
python -m tests.benchmarks.registry timm           every architecture: no failure, no unknown operator, sums that agree
python -m tests.benchmarks.speed                   one profile call, by us and by eight other counters
python -m tests.benchmarks.search                  models a second where each is another, as in architecture search
python -m tests.benchmarks.startup                 the command as a whole process
python -m tests.benchmarks.memory                  predicted peaks of memory against those of a real run, to the byte
python -m tests.benchmarks.memory --training       the same of training steps, frozen and checkpointed ones too
"""

import os

os.environ["PROFILE_MODEL_CACHE"] = "off"  # what is measured is a run
