"""Where a run's data ends up: Lance for columns, SQLite for rows, files for media.

`lance`, `scalars` and `histograms` hold what grows with each step; `catalogue` (run.db) everything row-shaped; `media`
the bytes of images, sound and video. Only this package imports lance. Nothing is imported here.
"""
