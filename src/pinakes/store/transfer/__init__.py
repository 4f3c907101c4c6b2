"""Import and export: JSON lines in and out, an item a line.

line      one line of the format: what it may say and what is refused
reader    a file as batches, in a process of its own
rejects   the file of refused lines
progress  how far each file came
importer  batches into the database
exporter  the database as lines
"""
