"""The hand-over between training and the background writer, and the write-ahead log, in one.

`format` draws the bytes, `segment` allocates and maps files, `shard` is the half that runs inside training,
`scan` is the half that reads. Nothing is imported here, so that training loads the writing half alone.
"""
